//! Any value of the header Cache-Control, as one directive among others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_wire::cache_control::Lifetime;

fuzz_target!(|text: &str| {
    let alone = Lifetime::parse(text);
    let lower = text.to_ascii_lowercase();
    match alone {
        Lifetime::Forbidden => assert!(lower.contains("no-store") || lower.contains("no-cache")),
        Lifetime::Seconds(seconds) => {
            assert!(lower.contains("max-age"));
            let digits = seconds.unsigned_abs().to_string();
            assert!(lower.contains(&digits));
        }
        Lifetime::Unsaid => {}
    }
    // The case of names and blanks between directives mean nothing; another directive changes nothing.
    assert_eq!(
        Lifetime::parse(&format!(" public ,\t{lower} , immutable")),
        alone
    );
    assert_eq!(
        Lifetime::parse(&format!("{text},no-Store")),
        Lifetime::Forbidden
    );
    if alone == Lifetime::Unsaid {
        assert_eq!(
            Lifetime::parse(&format!("{text}, Max-Age=\"60\"")),
            Lifetime::Seconds(60)
        );
    }
});

//! The RFCs' own examples. Their tokens name no user, so they cannot be
//! accepted as a whole; what can be held against them is the form and the signature.

use jsonwebtoken::signature::Verifier;
use serde_json::{Value, json};

use crate::Token;
use crate::jwk::Key;
use crate::parts::Parts;

fn verifies(jwk: Value, token: &str) -> bool {
    let jwk = crate::claims_object(&jwk.to_string()).expect("an object");
    let keys = Key::parse(&jwk).expect("a usable key").serves;
    let parts = Parts::split(token, crate::LONGEST).expect("three parts");
    keys.iter().any(|key| {
        key.verify(parts.signed.as_bytes(), &parts.signature)
            .is_ok()
    })
}

fn spoilt(token: &str) -> String {
    token.replacen(".e", ".f", 1).replacen(".R", ".S", 1)
}

fn code(token: &str) -> &'static str {
    Token::parse(token, crate::LONGEST)
        .expect_err("it names no user")
        .code()
}

#[test]
fn rfc_7515_a_2_rs256() {
    let jwk = json!({
        "kty": "RSA",
        "kid": "example",
        "alg": "RS256",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz\
              P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6\
              3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw\
              Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
              yuXpoQ",
        "e": "AQAB",
    });
    let token = "eyJhbGciOiJSUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5juj\
        Gbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7\
        K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np\
        6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert!(verifies(jwk.clone(), token));
    assert!(!verifies(jwk, &spoilt(token)));
    assert_eq!(code(token), "missing_claim");
}

#[test]
fn rfc_7515_a_3_es256() {
    let jwk = json!({
        "kty": "EC",
        "kid": "example",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let token = "eyJhbGciOiJFUzI1NiJ9\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
        .DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(verifies(jwk.clone(), token));
    assert!(!verifies(jwk, &spoilt(token)));
    assert_eq!(code(token), "missing_claim");
}

#[test]
fn rfc_7515_a_4_es512() {
    let jwk = json!({
        "kty": "EC",
        "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    });
    let token = "eyJhbGciOiJFUzUxMiJ9\
        .UGF5bG9hZA\
        .AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwF\
        KdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    assert!(verifies(jwk.clone(), token));
    assert!(!verifies(jwk, &token.replacen("UGF5", "UGF6", 1)));
    assert_eq!(code(token), "bad_json");
}

#[test]
fn rfc_8037_a_4_ed25519() {
    let jwk = json!({
        "kty": "OKP",
        "kid": "example",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let token = "eyJhbGciOiJFZERTQSJ9\
        .RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc\
        .hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(verifies(jwk.clone(), token));
    assert!(!verifies(jwk, &spoilt(token)));
    assert_eq!(code(token), "bad_json");
}

/// The examples are those of draft-ietf-cose-dilithium-11, which became the RFC. Their `kid` is the
/// thumbprint of the key.
#[test]
fn rfc_9964_a_1_ml_dsa() {
    for example in [
        include_str!("../tests/vectors/ml_dsa_44.json"),
        include_str!("../tests/vectors/ml_dsa_65.json"),
        include_str!("../tests/vectors/ml_dsa_87.json"),
    ] {
        let example: Value = serde_json::from_str(example).expect("JSON");
        let jwk = example["jwk"].clone();
        let token = example["jws"].as_str().expect("a token");
        assert!(verifies(jwk.clone(), token));
        assert!(!verifies(jwk.clone(), &token.replacen(".SXT", ".SXU", 1)));
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let altered = signature.replacen(&signature[100..104], "AAAA", 1);
        assert!(!verifies(jwk.clone(), &format!("{signed}.{altered}")));
        assert_eq!(code(token), "bad_json");
        let members = crate::claims_object(&jwk.to_string()).expect("an object");
        let key = Key::parse(&members).expect("a usable key");
        assert_eq!(Some(key.thumbprint), key.id);
    }
}

#[test]
fn rfc_7515_a_5_unsecured() {
    let token = "eyJhbGciOiJub25lIn0\
        .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(code(token), "unsupported_algorithm");
}

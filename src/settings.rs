//! Every setting of the extension except the identity, which only `session::current` sets.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum, pg_sys};

use crate::hosts;
use crate::pg::compat;

/// What `neon_auth.log_authentication` writes to the server log.
#[derive(PostgresGucEnum, Clone, Copy, PartialEq, Eq)]
pub enum LogAuthentication {
    #[name = c"off"]
    Off,
    #[name = c"failures"]
    Failures,
    #[name = c"all"]
    All,
}

/// Seconds for which a fetched JWKS is used without a new request, unless the server's
/// `Cache-Control` says otherwise (between the cooldown and a day).
pub static JWKS_CACHE_TIME: GucSetting<i32> = GucSetting::<i32>::new(600);
/// Seconds between two attempts to fetch one provider's JWKS, failed ones included.
pub static JWKS_COOLDOWN: GucSetting<i32> = GucSetting::<i32>::new(30);
/// Seconds for which a stale JWKS is used while the key server cannot be reached.
pub static JWKS_MAX_STALE: GucSetting<i32> = GucSetting::<i32>::new(3600);
/// Milliseconds to open a connection, to any server.
pub static CONNECT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(2000);
/// Milliseconds for the whole request to the key server.
pub static JWKS_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5000);
/// URL of the Neon console's API.
pub static NEON_API_URL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"https://console.neon.tech/api/v2"));
/// Milliseconds to wait for the next part of a response of the REST API, and for a whole request to
/// the console.
pub static API_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
/// Milliseconds of the back-off after the first failure of a request to the REST API.
pub static API_RETRY_DELAY: GucSetting<i32> = GucSetting::<i32>::new(500);
/// Seconds between two full synchronisations of the mirror; 0 for none.
pub static SYNC_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(3600);
/// Seconds after which a deleted user is erased; 0 for never.
pub static ERASE_DELETED_AFTER: GucSetting<i32> = GucSetting::<i32>::new(0);
/// Maximum number of background workers at one time.
pub static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(3);
/// Maximum size of a token in bytes.
pub static MAX_TOKEN_SIZE: GucSetting<i32> = GucSetting::<i32>::new(16 * 1024);
/// Kilobytes of shared memory for valid signatures; 0 for none. Only with preloading.
pub static TOKEN_CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(8 * 1024);
/// PEM file with the certificate authorities to trust instead of the system's.
pub static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// The hosts whose keys are fetched by plain http too.
pub static INSECURE_HOSTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Which calls of `auth.authenticate` are logged.
pub static LOG_AUTHENTICATION: GucSetting<LogAuthentication> =
    GucSetting::<LogAuthentication>::new(LogAuthentication::Off);

/// Whether each transaction that writes says in the WAL who acts.
pub static ACTOR_IN_WAL: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Whether nobody uses the database but tests.
pub static TEST_DATABASE: GucSetting<bool> = GucSetting::<bool>::new(false);

/// The application's own prefix of Better Auth's cookies.
pub static COOKIE_PREFIX: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Seconds after which a session of Better Auth is extended when it is used; 0 for never.
pub static SESSION_UPDATE_AGE: GucSetting<i32> = GucSetting::<i32>::new(0);
/// Seconds for which a session of Better Auth is then extended.
pub static SESSION_EXPIRES_IN: GucSetting<i32> = GucSetting::<i32>::new(604_800);

/// Registers the settings; only a superuser can change one, or a role that is granted `SET` on it.
pub fn define() {
    let seconds = |name, short, long, setting, min, max| {
        GucRegistry::define_int_guc(
            name,
            short,
            long,
            setting,
            min,
            max,
            GucContext::Suset,
            GucFlags::UNIT_S,
        );
    };
    seconds(
        c"neon_auth.jwks_cache_time",
        c"Time for which a fetched JWKS is used without a new request.",
        c"The key server's Cache-Control max-age overrides it, between neon_auth.jwks_cooldown and one day.",
        &JWKS_CACHE_TIME,
        10,
        86_400,
    );
    seconds(
        c"neon_auth.jwks_cooldown",
        c"Shortest time between two fetches of a provider's JWKS, failed ones included.",
        c"It limits the requests that tokens with unknown keys can cause; after a scheduled fetch, the first unknown key need not wait.",
        &JWKS_COOLDOWN,
        1,
        3_600,
    );
    seconds(
        c"neon_auth.jwks_max_stale",
        c"Time for which a stale JWKS is used while the key server cannot be reached.",
        c"After that, tokens are refused until a fetch succeeds.",
        &JWKS_MAX_STALE,
        0,
        604_800,
    );
    seconds(
        c"neon_auth.sync_interval",
        c"Interval at which background workers synchronise the whole mirror with the auth service.",
        c"0 disables it. Background workers confirm the sync queue at any value.",
        &SYNC_INTERVAL,
        0,
        604_800,
    );
    seconds(
        c"neon_auth.erase_deleted_after",
        c"Time after the deletion of a user at which everything but its id and times is erased.",
        c"0 disables it. Background workers erase once a day, and CALL neon_auth.sync() erases too.",
        &ERASE_DELETED_AFTER,
        0,
        i32::MAX,
    );
    seconds(
        c"neon_auth.session_update_age",
        c"Age at which auth.authenticate() extends a session of Better Auth.",
        c"0 disables it. Set it to session.updateAge of Better Auth's configuration, which is one day by default.",
        &SESSION_UPDATE_AGE,
        0,
        31_536_000,
    );
    seconds(
        c"neon_auth.session_expires_in",
        c"Time for which auth.authenticate() extends a session of Better Auth.",
        c"Set it to session.expiresIn of Better Auth's configuration. A session that began shorter is not extended.",
        &SESSION_EXPIRES_IN,
        60,
        31_536_000,
    );
    GucRegistry::define_string_guc(
        c"neon_auth.cookie_prefix",
        c"Prefix of the session cookie in which auth.pre_request() looks first.",
        c"It is advanced.cookiePrefix of Better Auth's configuration. The prefixes better-auth and neon-auth are known.",
        &COOKIE_PREFIX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"neon_auth.max_token_size",
        c"Maximum size of a token in bytes.",
        c"A longer token is refused before it is parsed.",
        &MAX_TOKEN_SIZE,
        1024,
        256 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    // SAFETY: reads a variable of this process.
    let is_preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    GucRegistry::define_int_guc(
        c"neon_auth.token_cache_size",
        c"Shared memory in which the server remembers the signatures of tokens that were verified.",
        c"A token that one session has verified costs the others less. 0 disables it. It needs the library in shared_preload_libraries.",
        &TOKEN_CACHE_SIZE,
        0,
        4 * 1024 * 1024,
        // PostgreSQL refuses new settings of the other context once it runs; this one has no effect then.
        if is_preloading {
            GucContext::Postmaster
        } else {
            GucContext::Sighup
        },
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"neon_auth.max_workers",
        c"Maximum number of background workers of neon_auth that run at one time.",
        c"They use slots of max_worker_processes.",
        &MAX_WORKERS,
        1,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
    let milliseconds = |name, short, long, setting, min, max| {
        GucRegistry::define_int_guc(
            name,
            short,
            long,
            setting,
            min,
            max,
            GucContext::Suset,
            GucFlags::UNIT_MS,
        );
    };
    milliseconds(
        c"neon_auth.connect_timeout",
        c"Time allowed to connect to a key server, the REST API of the auth service or the Neon console.",
        c"",
        &CONNECT_TIMEOUT,
        100,
        60_000,
    );
    milliseconds(
        c"neon_auth.jwks_timeout",
        c"Time allowed for a whole request to a key server.",
        c"",
        &JWKS_TIMEOUT,
        100,
        60_000,
    );
    milliseconds(
        c"neon_auth.api_timeout",
        c"Longest wait for the next part of a response from the REST API of the auth service or the Neon console.",
        c"",
        &API_TIMEOUT,
        100,
        600_000,
    );
    milliseconds(
        c"neon_auth.api_retry_delay",
        c"Longest wait before the first retry of a failed request to the REST API of the auth service.",
        c"It doubles with each retry of the request. If the service sends Retry-After, that is the shortest wait.",
        &API_RETRY_DELAY,
        1,
        10_000,
    );
    GucRegistry::define_string_guc(
        c"neon_auth.neon_api_url",
        c"URL of the API of the Neon console, for neon_auth.create_keys() and claim_url().",
        c"An API key is sent there.",
        &NEON_API_URL,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"neon_auth.ca_file",
        c"PEM file with the certificate authorities to trust for key servers, the REST API of the auth service and the Neon console.",
        c"If empty, the system's certificate authorities are trusted.",
        &CA_FILE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    // SAFETY: the hook is guarded.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"neon_auth.insecure_hosts",
            c"Hosts, as host or host:port with commas between them, whose keys are fetched by plain http.",
            c"Anyone who controls the network path can replace these keys and forge any identity.",
            &INSECURE_HOSTS,
            GucContext::Suset,
            GucFlags::default(),
            Some(hosts::check),
            None,
            None,
        );
    }
    GucRegistry::define_bool_guc(
        c"neon_auth.actor_in_wal",
        c"Writes auth.actor() into the WAL at the end of each transaction that writes.",
        c"For change data capture: the last logical message with the prefix neon_auth counts. It needs wal_level = logical, and the library in shared_preload_libraries.",
        &ACTOR_IN_WAL,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"neon_auth.test_database",
        c"Allows neon_auth.make_test_users().",
        c"For a database that only tests use.",
        &TEST_DATABASE,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"neon_auth.log_authentication",
        c"Calls of auth.authenticate that are written to the server log.",
        c"One line per call: iss, sub and kid as far as they can be read, and the provider or the reason of the refusal; never the token.",
        &LOG_AUTHENTICATION,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// Refuses unknown `neon_auth.*` settings from now on, and drops placeholders that were set before
/// the library was loaded. Call it after every setting is defined.
pub fn reserve_prefix() {
    // SAFETY: we are in _PG_init.
    unsafe { compat::reserve_settings(c"neon_auth") };
}

//! Requests to the REST API, with retries where they can help.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant, SystemTime};

use neon_auth_wire::items::Reader;
use neon_auth_wire::list::{self, Part};
use neon_auth_wire::retry_after::delay;
use serde::Deserialize;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, Timeout};

use super::answer::{ErrorResponse, ResponsePart};
use crate::background::steps::{Steps, Stop};
use crate::error::{Problem, quoted};
use crate::http::{self, PlainHttp, RequestThread, Sender, milliseconds};
use crate::settings;
use crate::shared::{self, Counter};

/// Number of attempts for a request.
const ATTEMPTS: u32 = 5;
/// The status with which the service responds to a request that it cannot process. Other statuses
/// from 500 on come from a proxy or an overload, and pass.
const LASTING: u16 = 500;
/// The path of users in the REST API.
pub const USERS: &str = "users";
/// The error code for a user who does not exist.
pub const USER_NOT_FOUND: &str = "USER_NOT_FOUND";
/// The longest wait that the service may request.
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// Limit for the time of a whole list. In practice the time between two parts of the response
/// limits it.
const LONGEST_LIST: Duration = Duration::from_secs(3600);
/// Maximum number of bytes to read of a response with an error status.
const LONGEST_REFUSAL: u64 = 64 * 1024;

/// Maximum length of an error code in bytes.
const LONGEST_CODE: usize = 100;

/// The headers of a request, which a newer server prefers with the second prefix.
const PREFIXES: [&str; 2] = ["x-stack-", "x-hexclave-"];
/// The codes for a project, or its branch, that the service does not have.
const NO_PROJECT: [&str; 2] = ["CURRENT_PROJECT_NOT_FOUND", "BRANCH_DOES_NOT_EXIST"];

const NO_URL: &str = "The URL of the REST API cannot be derived from the jwks_url.";

/// The URL of the service, and the keys for it.
#[derive(Clone, Deserialize)]
pub struct Access {
    provider: String,
    project: Option<String>,
    base: Option<String>,
    is_pinned: bool,
    secret: Option<String>,
    other_source: Option<String>,
}

pub struct Api {
    base: String,
    project: String,
    secret: String,
    pub steps: Steps,
    pub user_lists: UserLists,
    /// Number of attempts for a request.
    attempts: Cell<u32>,
}

/// What this process knows of the lists of users that the service returns.
#[derive(Default)]
pub struct UserLists {
    /// Whether a list without the refused ones was accepted.
    pub is_accepted: Cell<bool>,
    /// How many of [`PARAMETERS`](crate::old_servers::PARAMETERS) the service refuses.
    pub refused: Cell<usize>,
    /// Whether the list of a team was seen to contain only its members.
    pub is_filtered: Cell<bool>,
}

/// Why a request failed.
enum RequestError {
    /// A retry may succeed.
    Temporary {
        reason: String,
        wait: Option<Duration>,
        /// The status of the response, if one arrived.
        status: Option<u16>,
    },
    /// The last attempt failed with this status as well, and the service responds to another
    /// request.
    Lasting {
        status: u16,
    },
    /// A retry will fail too.
    Refused(ErrorResponse),
    Stop(Stop),
}

impl RequestError {
    /// No response arrived, or an unusable one.
    fn temporary(reason: String) -> Self {
        RequestError::Temporary {
            reason,
            wait: None,
            status: None,
        }
    }
}

/// Items of a list, and why others could not be parsed.
#[derive(Default)]
pub struct Chunk {
    pub items: Vec<String>,
    pub defects: Vec<String>,
    /// The attempt of the request, which repeats the items of attempts before it.
    pub attempt: u32,
}

impl Chunk {
    /// The items as a JSON array.
    pub fn json(&self) -> String {
        format!("[{}]", self.items.join(","))
    }
}

impl Api {
    pub fn new(access: Access, steps: Steps) -> Result<Self, Problem> {
        let missing = |reason: &str| Problem::CannotSync {
            reason: reason.to_owned(),
        };
        let provider = quoted(&access.provider);
        let no_url = |reason: String| Problem::NoRestUrl {
            provider: access.provider.clone(),
            project: access.project.clone(),
            reason,
        };
        let base = access.base.ok_or_else(|| {
            no_url(if access.is_pinned {
                format!("The keys of provider {provider} are pinned, so there is no jwks_url from which to derive the REST API.")
            } else {
                format!("The jwks_url of the provider {provider} is not that of a Stack Auth project.")
            })
        })?;
        let uri: Uri = base.parse().map_err(|_| no_url(NO_URL.to_owned()))?;
        http::check(&uri, "jwks_url", &PlainHttp::default()).map_err(no_url)?;
        let project = access
            .project
            .ok_or_else(|| missing("The provider has no project_id."))?;
        if let Some(mirrored) = access.other_source {
            return Err(Problem::OtherProject {
                mirrored,
                configured: project,
            });
        }
        Ok(Self {
            project,
            base,
            secret: access.secret.ok_or_else(|| {
                missing("The secret_server_key for this project and URL is not set; dumps do not include it.")
            })?,
            steps,
            user_lists: UserLists::default(),
            attempts: Cell::new(ATTEMPTS),
        })
    }

    /// Sends requests with another number of attempts for each.
    pub fn with_attempts<R>(&self, attempts: u32, requests: impl FnOnce() -> R) -> R {
        let before = self.attempts.replace(attempts);
        let result = requests();
        self.attempts.set(before);
        result
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// One object by its id; `None` if the service responds with the code `gone` that it does not
    /// exist.
    pub fn object(&self, path: &str, id: &str, gone: &str) -> Result<Option<String>, Stop> {
        let found = self.persist(|_| self.object_once(path, id, gone));
        found.map_err(|error| self.stop(error))
    }

    fn object_once(
        &self,
        path: &str,
        id: &str,
        gone: &str,
    ) -> Result<Option<String>, RequestError> {
        let url = format!("{}/api/v1/{path}/{}", self.base, encoded(id));
        let mut thread = self.ask(&url, |response, _| {
            list::read_object(response.body_mut().with_config().limit(u64::MAX).reader())
                .map(ResponsePart::Object)
        })?;
        match self.next(&mut thread)? {
            ResponsePart::Object(object) => Ok(Some(object)),
            ResponsePart::Refused(refusal)
                if refusal.status == 404 && refusal.code.as_deref() == Some(gone) =>
            {
                Ok(None)
            }
            other => Err(error_of(other)),
        }
    }

    /// A list, or a page of one: `each` receives its items as they arrive, some of them more than
    /// once if the request is retried. Returns where the next page begins.
    pub fn list(
        &self,
        path: &str,
        query: &[(&str, &str)],
        item: Reader,
        mut each: impl FnMut(Chunk) -> Result<(), Stop>,
    ) -> Result<Option<String>, Stop> {
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let url = format!("{}/api/v1/{path}?{}", self.base, query.join("&"));
        let listed = self.persist(|attempt| {
            let mut thread = self.ask(&url, move |response, sender| {
                let body = response.body_mut().with_config().limit(u64::MAX);
                let receive = |part| sender.send(ResponsePart::Items(part));
                let end = list::read_list(body.reader(), item, &receive);
                end.map(|next_cursor| ResponsePart::End { next_cursor })
            })?;
            loop {
                match self.next(&mut thread)? {
                    ResponsePart::Items(Part { items, defects }) => {
                        let chunk = Chunk {
                            items,
                            defects,
                            attempt,
                        };
                        each(chunk).map_err(RequestError::Stop)?;
                    }
                    ResponsePart::End { next_cursor } => return Ok(next_cursor),
                    other => return Err(error_of(other)),
                }
            }
        });
        listed.map_err(|error| self.stop(error))
    }

    /// Repeats a request until it succeeds or cannot succeed; `ask` receives the number of the
    /// attempt.
    fn persist<T>(
        &self,
        mut ask: impl FnMut(u32) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        // It doubles with each further failure.
        let mut delay = milliseconds(settings::API_RETRY_DELAY.get());
        for attempt in 1.. {
            shared::count(Counter::RestRequests);
            let (reason, wait, status) = match ask(attempt) {
                Err(RequestError::Temporary {
                    reason,
                    wait,
                    status,
                }) => {
                    shared::count(Counter::RestFailures);
                    (reason, wait, status)
                }
                outcome => return outcome,
            };
            // Even if the service requests no wait, the back-off applies.
            let wait = wait.unwrap_or_default().max(jittered(delay));
            let attempts = match status {
                None | Some(LASTING) => self.attempts.get(),
                // It passes.
                Some(_) => ATTEMPTS,
            };
            let is_last = attempt >= attempts;
            if let Some(status @ LASTING) = status
                && is_last
                && self.responds()?
            {
                return Err(RequestError::Lasting { status });
            }
            if is_last || wait > LONGEST_DELAY {
                return Err(RequestError::Temporary {
                    reason,
                    wait: None,
                    status,
                });
            }
            self.steps.pause(wait).map_err(RequestError::Stop)?;
            delay *= 2;
        }
        unreachable!("the attempts are counted")
    }

    /// Whether the service responds to a request that it can always process: for a user who does
    /// not exist. During an outage of its database it fails for everything.
    fn responds(&self) -> Result<bool, RequestError> {
        shared::count(Counter::RestRequests);
        match self.object_once(USERS, &random_uuid(), USER_NOT_FOUND) {
            Err(RequestError::Stop(stop)) => Err(RequestError::Stop(stop)),
            outcome => Ok(matches!(outcome, Ok(None))),
        }
    }

    fn stop(&self, error: RequestError) -> Stop {
        let problem = match error {
            RequestError::Stop(stop) => return stop,
            RequestError::Lasting { status } => Problem::ServiceFailed { status },
            RequestError::Temporary { reason, status, .. } => {
                Problem::ServiceUnreachable { reason, status }
            }
            RequestError::Refused(refusal) if refusal.status == 401 || refusal.status == 403 => {
                Problem::ServerKeyRefused {
                    status: refusal.status,
                    code: refusal.code,
                }
            }
            RequestError::Refused(ErrorResponse {
                code: Some(code), ..
            }) if NO_PROJECT.contains(&code.as_str()) => Problem::ProjectNotFound {
                project: self.project.clone(),
                code,
            },
            RequestError::Refused(refusal) => Problem::ServiceRefused {
                status: refusal.status,
                code: refusal.code,
            },
        };
        Stop::Problem(problem)
    }

    /// Starts a request on its own thread.
    fn ask(
        &self,
        url: &str,
        read: impl FnOnce(&mut Response<Body>, &Sender<ResponsePart>) -> Result<ResponsePart, String>
        + Send
        + 'static,
    ) -> Result<RequestThread<ResponsePart>, RequestError> {
        let url = url.to_owned();
        let (project, secret) = (self.project.clone(), self.secret.clone());
        let settings = http::Settings::read();
        let api_timeout = api_timeout();
        RequestThread::spawn(move |sender| {
            let agent = |uri: &Uri| {
                settings.agent(uri, "jwks_url", sender.cancel_handle(), |config| {
                    config
                        .timeout_recv_response(Some(api_timeout))
                        .timeout_recv_body(Some(LONGEST_LIST))
                })
            };
            let last = perform(&url, agent, &project, &secret)
                .and_then(|mut response| match response.status().as_u16() {
                    200 => read(&mut response, sender),
                    _ => Ok(ResponsePart::Refused(refusal(&mut response))),
                })
                .unwrap_or_else(ResponsePart::Broken);
            sender.send(last);
        })
        .map_err(RequestError::temporary)
    }

    /// The next part of a response, with a limit for the wait.
    fn next(&self, thread: &mut RequestThread<ResponsePart>) -> Result<ResponsePart, RequestError> {
        self.steps.tick().map_err(RequestError::Stop)?;
        let began = Instant::now();
        let api_timeout = api_timeout();
        let part = thread.next(|| {
            if began.elapsed() > api_timeout {
                return Err(RequestError::temporary(
                    "The service did not respond within neon_auth.api_timeout.".to_owned(),
                ));
            }
            self.steps.tick().map_err(RequestError::Stop)
        })?;
        Ok(part.unwrap_or_else(|| {
            ResponsePart::Broken("The request failed because of an internal error.".to_owned())
        }))
    }
}

fn api_timeout() -> Duration {
    milliseconds(settings::API_TIMEOUT.get())
}

/// The request itself; runs off the main thread, so it calls nothing of PostgreSQL.
fn perform(
    url: &str,
    agent: impl FnOnce(&Uri) -> Result<Agent, String>,
    project: &str,
    secret: &str,
) -> Result<Response<Body>, String> {
    let uri: Uri = url.parse().map_err(|_| NO_URL.to_owned())?;
    let mut request = agent(&uri)?.get(&uri).header("accept", "application/json");
    for prefix in PREFIXES {
        request = request
            .header(format!("{prefix}access-type"), "server")
            .header(format!("{prefix}project-id"), project)
            .header(format!("{prefix}secret-server-key"), secret);
    }
    request.call().map_err(|error| match error {
        ureq::Error::Timeout(Timeout::Connect) => http::NOT_CONNECTED.to_owned(),
        ureq::Error::Timeout(_) => {
            "The service did not respond within neon_auth.api_timeout.".to_owned()
        }
        error => http::failure("The request failed", &error),
    })
}

fn refusal(response: &mut Response<Body>) -> ErrorResponse {
    #[derive(Deserialize)]
    struct Known {
        code: String,
    }
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.trim().to_owned())
    };
    let retry_after = header("retry-after")
        .and_then(|value| delay(&value, header("date").as_deref(), SystemTime::now()));
    let code = PREFIXES
        .iter()
        .find_map(|prefix| header(&format!("{prefix}known-error")));
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LONGEST_REFUSAL);
    let code = code.or_else(|| {
        let known: Known = serde_json::from_slice(&body.read_to_vec().ok()?).ok()?;
        Some(known.code)
    });
    // It becomes part of stored messages.
    let code = code.filter(|code| is_code(code));
    ErrorResponse {
        status,
        code,
        retry_after,
    }
}

fn is_code(text: &str) -> bool {
    (1..=LONGEST_CODE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The error for a response that was not expected.
fn error_of(part: ResponsePart) -> RequestError {
    match part {
        ResponsePart::Refused(refusal)
            if matches!(refusal.status, 408 | 425 | 429) || refusal.status >= 500 =>
        {
            RequestError::Temporary {
                reason: format!("The service returned status {}.", refusal.status),
                wait: refusal.retry_after,
                status: Some(refusal.status),
            }
        }
        ResponsePart::Refused(refusal) => RequestError::Refused(refusal),
        ResponsePart::Broken(reason) => RequestError::temporary(reason),
        _ => RequestError::temporary("The response does not have the documented form.".to_owned()),
    }
}

/// An id that no user has: a random UUID (RFC 9562, 5.4).
pub fn random_uuid() -> String {
    let random = || RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// Between half of a delay and all of it, so that many databases do not retry at the same moment.
fn jittered(delay: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    delay / 2 + delay / 2 * random as u32 / 1000
}

/// A value in a path or a query (RFC 3986, 2.1).
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

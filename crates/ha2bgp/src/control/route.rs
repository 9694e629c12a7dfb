//! What can be asked: one table, from paths and methods to calls.

use super::api::{Code, Refusal};

/// What a request may do. The mode of the socket file lets a user in, to all of it; a later
/// interface that knows more of its users tells reading from writing by this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Looks.
    Read,
    /// Changes something.
    Write,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// Show all checks that are pushed.
    ListChecks,
    /// Show one check.
    ShowCheck,
    /// Take a result.
    PushCheck,
    /// Show metrics.
    Metrics,
    /// Say why an address is announced, or not.
    Why,
    /// Show what operators say.
    ListOverrides,
    /// Say something over the heads of the checks.
    Override,
    /// Take that back.
    Lift,
    /// Say what another configuration would change.
    Plan,
    /// Read the configuration again.
    Reload,
    /// Keep a configuration that is on trial.
    Confirm,
    /// End, so that another process goes on.
    Restart,
    /// Forget what flap damping has counted.
    ResetDamping,
}

/// One thing that can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path; a part in braces stands for any one part.
    pub path: &'static str,
    /// What it may do.
    pub access: Access,
    /// What is to be done.
    pub call: Call,
    /// One sentence.
    pub about: &'static str,
}

const fn endpoint(
    method: &'static str,
    path: &'static str,
    access: Access,
    call: Call,
    about: &'static str,
) -> Endpoint {
    Endpoint { method, path, access, call, about }
}

/// Everything that can be asked.
pub const ENDPOINTS: &[Endpoint] = &[
    endpoint(
        "GET",
        "/metrics",
        Access::Read,
        Call::Metrics,
        "Metrics of services and checks, as OpenMetrics text",
    ),
    endpoint(
        "GET",
        "/v1/why/{address}",
        Access::Read,
        Call::Why,
        "Why an address is announced, or not",
    ),
    endpoint(
        "GET",
        "/v1/overrides",
        Access::Read,
        Call::ListOverrides,
        "What operators say over the heads of the checks",
    ),
    endpoint(
        "POST",
        "/v1/overrides",
        Access::Write,
        Call::Override,
        "Drains, or forces up or down: over the heads of the checks",
    ),
    endpoint("DELETE", "/v1/overrides/{id}", Access::Write, Call::Lift, "Takes an override back"),
    endpoint(
        "POST",
        "/v1/plan",
        Access::Read,
        Call::Plan,
        "What another configuration would change; by default what a reload would",
    ),
    endpoint(
        "POST",
        "/v1/reload",
        Access::Write,
        Call::Reload,
        "Reads the configuration again and makes it count",
    ),
    endpoint(
        "POST",
        "/v1/reload/confirm",
        Access::Write,
        Call::Confirm,
        "Keeps a configuration that is on trial",
    ),
    endpoint(
        "POST",
        "/v1/restart",
        Access::Write,
        Call::Restart,
        "Ends so that routes stay where they are (as SIGUSR2): whatever started it starts it again",
    ),
    endpoint(
        "POST",
        "/v1/damping/reset",
        Access::Write,
        Call::ResetDamping,
        "Forgets what flap damping has counted",
    ),
    endpoint(
        "GET",
        "/v1/checks",
        Access::Read,
        Call::ListChecks,
        "All checks of type `push` with their newest results",
    ),
    endpoint(
        "GET",
        "/v1/checks/{check}",
        Access::Read,
        Call::ShowCheck,
        "One check of all services",
    ),
    endpoint(
        "POST",
        "/v1/checks/{check}",
        Access::Write,
        Call::PushCheck,
        "Sends a result for a check of all services",
    ),
    endpoint(
        "GET",
        "/v1/checks/{service}/{check}",
        Access::Read,
        Call::ShowCheck,
        "One check of a service",
    ),
    endpoint(
        "POST",
        "/v1/checks/{service}/{check}",
        Access::Write,
        Call::PushCheck,
        "Sends a result for a check of a service",
    ),
];

/// What was found, and the parts of the path that stand for names.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// What is asked.
    pub endpoint: &'static Endpoint,
    /// The names, in the order of the path.
    pub names: Vec<&'a str>,
}

/// Looks up a request.
///
/// # Errors
/// When there is no such path, or not with that method; then with the methods that it has.
pub fn find<'a>(method: &str, path: &'a str) -> Result<Found<'a>, (Refusal, Vec<&'static str>)> {
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(names) = names(endpoint.path, path) else { continue };
        if endpoint.method == method {
            return Ok(Found { endpoint, names });
        }
        allowed.push(endpoint.method);
    }
    let shown = cut(path);
    if allowed.is_empty() {
        let known: Vec<String> =
            ENDPOINTS.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
        let text = format!("there is no {shown}: there are {}", known.join(", "));
        return Err((Refusal::new(Code::NoSuchPath, text), allowed));
    }
    let text = format!("{shown} takes no {}: use {}", cut(method), allowed.join(" or "));
    Err((Refusal::new(Code::WrongMethod, text), allowed))
}

/// The names in a path, if it is one of these.
fn names<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut names = Vec::new();
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') && !part.is_empty() {
            names.push(part);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(names)
}

/// A text from outside, short enough for a message.
pub(super) fn cut(text: &str) -> String {
    cut_to(64, text)
}

/// A text of at most so many characters.
pub(super) fn cut_to(most: usize, text: &str) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let call = |method, path| find(method, path).map(|it| (it.endpoint.call, it.names));
        assert_eq!(call("GET", "/v1/checks").ok(), Some((Call::ListChecks, vec![])));
        let names = vec!["web", "deploy"];
        assert_eq!(call("POST", "/v1/checks/web/deploy").ok(), Some((Call::PushCheck, names)));
        assert_eq!(call("POST", "/v1/checks/up").ok(), Some((Call::PushCheck, vec!["up"])));
        for (method, path, code, allowed) in [
            ("POST", "/v1/checks", Code::WrongMethod, vec!["GET"]),
            ("DELETE", "/v1/checks/web/deploy", Code::WrongMethod, vec!["GET", "POST"]),
            ("GET", "/", Code::NoSuchPath, vec![]),
            ("GET", "", Code::NoSuchPath, vec![]),
            ("GET", "/v1/checks/", Code::NoSuchPath, vec![]),
            ("GET", "/v1/checks//x", Code::NoSuchPath, vec![]),
            ("GET", "/v1/checks/a/b/c", Code::NoSuchPath, vec![]),
            ("GET", "/v2/checks", Code::NoSuchPath, vec![]),
        ] {
            let (refusal, methods) = find(method, path).unwrap_err();
            assert_eq!((refusal.code, methods), (code, allowed), "{method} {path}");
        }
        let long = format!("/{}", "é".repeat(5000));
        assert!(find("GET", &long).unwrap_err().0.message.len() < 600);
    }

    /// The guide names everything that can be asked, and every reason of a refusal.
    #[test]
    fn the_guide_is_complete() {
        let guide = include_str!("../../../../docs/control.md");
        for endpoint in ENDPOINTS {
            let line = format!("`{} {}`", endpoint.method, endpoint.path);
            assert!(guide.contains(&line), "{line}");
        }
        for code in Code::ALL {
            let row = format!("| {} | `{}` |", code.status(), code.name());
            assert!(guide.contains(&row), "{row}");
        }
    }
}

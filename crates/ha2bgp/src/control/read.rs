//! Everything that can be looked at: asks the engine task for what is true, and makes the types of the
//! wire of it.

mod bfd;
mod peers;
mod probes;
mod routes;
mod services;
mod status;

use std::net::IpAddr;
use std::sync::Arc;

use ha2bgp_core::overrides::Scope;

pub(super) use self::peers::peers;
pub(super) use self::routes::exact;
#[cfg(test)]
pub(crate) use self::services::shown as service;

use super::api::config::{ConfigShown, ConfigValue};
use super::api::service::ServicesShown;
use super::api::{Code, Refusal, json};
use super::calls::{Api, Asked};
use super::orders::parse_prefix;
use super::query::{Param, Query, Takes};
use super::questions::Questions;
use super::route::{Call, cut};
use super::scene::{Select, Services};
use super::why;
use crate::announce::questions::PAGE_MAX;

/// So many entries a page has, unless somebody wants another number.
const LIMIT: u64 = 100;
/// So many at most.
pub const LIMIT_MAX: u64 = 1000;
/// So many names and prefixes at once.
const WANTED_MAX: usize = 64;

const LIMIT_PARAM: Param =
    Param { name: "limit", takes: Takes::Number(1, LIMIT_MAX), about: "So many at most; 100" };
const AFTER_PARAM: Param = Param {
    name: "after",
    takes: Takes::Text,
    about: "Those behind this one: `next` of the answer before",
};

/// What `GET /v1/services` takes.
pub const SERVICES_QUERY: &[Param] = &[
    LIMIT_PARAM,
    AFTER_PARAM,
    Param {
        name: "of",
        takes: Takes::Text,
        about: "Those of these services, or in these networks: names and prefixes, with commas",
    },
    Param {
        name: "state",
        takes: Takes::OneOf(&["announced", "withdrawn"]),
        about: "Those that are announced, or those that are not",
    },
];
/// What `GET /v1/routes` takes.
pub const ROUTES_QUERY: &[Param] = &[
    Param {
        name: "limit",
        takes: Takes::Number(1, LIMIT_MAX),
        about: "So many at most; 100, and never more than 256",
    },
    AFTER_PARAM,
    Param { name: "prefix", takes: Takes::Text, about: "Of this prefix only, known or not" },
    Param { name: "peer", takes: Takes::Text, about: "At this peer only" },
];
/// What everything else takes that has pages.
pub const PAGE_QUERY: &[Param] = &[LIMIT_PARAM, AFTER_PARAM];

/// Answers one of these calls.
///
/// # Errors
/// When something is asked for that cannot be, or the engine does not answer.
pub async fn answer(api: &Api, call: Call, asked: Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let engine = &api.engine;
    Ok(match call {
        Call::Services => {
            let select = Select {
                scopes: scopes(asked.query.text("of").unwrap_or_default())?,
                announced: asked.query.text("state").map(|state| state == "announced"),
                ..page(asked.query)?
            };
            let found = find(engine, select).await?;
            let scene = &found.scene;
            let shown = |all| services::shown(scene, all);
            let services = found.page.services.iter().filter_map(shown).collect();
            json(&ServicesShown { services, next: next(&found) })
        }
        Call::Service => {
            let name = asked.names.first().map_or("", String::as_str);
            let found = find(engine, Select { scopes: vec![scope(name)], ..page(asked.query)? });
            let found = found.await?;
            json(&why::page(api, &found, next(&found)).await)
        }
        Call::Routes => {
            let limit = limit(asked.query).min(PAGE_MAX);
            let scene = engine.whole().await?.scene;
            json(&routes::answer(api, &scene, asked.query, limit).await?)
        }
        Call::Peers => json(&peers(&engine.whole().await?.scene)),
        Call::Config => {
            let config = engine.config().await?;
            let values = config.values.iter().map(|value| ConfigValue {
                key: value.key.clone(),
                values: value.values.clone(),
                from: value.from.clone(),
            });
            json(&ConfigShown { values: values.collect(), toml: config.toml.clone() })
        }
        Call::Probes => probes::answer(engine, asked.query).await?,
        // Everything else is none of these.
        _ => json(&status::shown(&*engine.whole().await?, &api.ways.borrow())),
    })
}

async fn find(engine: &Questions, select: Select) -> Result<Services, Refusal> {
    let found = engine.services(select).await?;
    let Some((name, near)) = &found.unknown else { return Ok(found) };
    let fix = match near {
        Some(near) => format!("did you mean {near}?"),
        None => "GET /v1/services lists them".to_owned(),
    };
    Err(Refusal {
        field: Some("service".to_owned()),
        value: Some(cut(name)),
        ..Refusal::new(Code::NoSuchService, format!("there is no service \"{}\": {fix}", cut(name)))
    })
}

fn page(query: &Query) -> Result<Select, Refusal> {
    let after = query.text("after").map(after).transpose()?;
    Ok(Select { after, limit: limit(query), ..Select::default() })
}

fn limit(query: &Query) -> usize {
    usize::try_from(query.number("limit").unwrap_or(LIMIT)).unwrap_or(usize::MAX)
}

fn after(text: &str) -> Result<IpAddr, Refusal> {
    text.parse().map_err(|_| Refusal {
        field: Some("after".to_owned()),
        value: Some(cut(text)),
        ..Refusal::new(
            Code::BadValue,
            format!("\"{}\" is no IP address: send what was next in the answer before", cut(text)),
        )
    })
}

/// What to send for those behind the last one.
fn next(found: &Services) -> Option<String> {
    found.page.next.map(|next| next.to_string())
}

fn scopes(text: &str) -> Result<Vec<Scope>, Refusal> {
    let words: Vec<&str> = text.split(',').filter(|word| !word.is_empty()).collect();
    if words.len() > WANTED_MAX {
        let said = format!("these are {} names: send {WANTED_MAX} at most", words.len());
        let field = Some("of".to_owned());
        return Err(Refusal { field, ..Refusal::new(Code::BadValue, said) });
    }
    Ok(words.into_iter().map(scope).collect())
}

/// A prefix or an address, else the name of a service.
fn scope(word: &str) -> Scope {
    parse_prefix(word).map_or_else(|| Scope::Service(Arc::from(word)), Scope::Network)
}

//! The program itself: times, guard, overrides, queues, reloads.

use std::fmt;

use ha2bgp_core::overrides::OverrideKind;
use ha2bgp_core::survey::Sight;
use ha2bgp_core::time::Instant;
use jiff::Timestamp;
use prometheus_client::encoding::DescriptorEncoder;

use super::family::family;
use super::measures::Measures;
use super::table as t;
use crate::control::tokens::sha_256;

/// Writes all of it.
pub(super) fn write(measures: &Measures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    family(encoder, &t::BUILD, |f| f.info(&[env!("CARGO_PKG_VERSION")]))?;
    family(encoder, &t::START, |f| f.gauge(&[], measures.seconds(Instant::START)))?;
    family(encoder, &t::READY, |f| f.is(&[], measures.complete))?;
    family(encoder, &t::DRAINING, |f| f.is(&[], measures.draining))?;
    family(encoder, &t::OBSERVED_TO_DECIDED, |f| f.histogram(&[], &measures.observed_to_decided))?;
    family(encoder, &t::OBSERVER_UP, |f| {
        let mut sights = measures.sights.iter();
        sights.try_for_each(|(source, sight)| f.is(&[source.name()], *sight == Sight::Good))
    })?;
    let guard = &measures.guard;
    family(encoder, &t::GUARD_HELD, |f| f.gauge(&[], guard.held))?;
    family(encoder, &t::GUARD_VETOES, |f| f.count(&[], guard.vetoes))?;
    family(encoder, &t::GUARD_ROOM, |f| match guard.room {
        Some(room) => f.gauge(&[], room),
        None => f.gauge(&[], f64::INFINITY),
    })?;
    family(encoder, &t::OVERRIDES, |f| {
        OverrideKind::ALL.into_iter().try_for_each(|kind| {
            let count = measures.overrides.iter().filter(|it| **it == kind).count();
            f.gauge(&[kind.name()], count)
        })
    })?;
    let looks = measures.looks;
    family(encoder, &t::DOORBELLS, |f| {
        f.count(&["doorbell"], looks.rings)?;
        f.count(&["destroyed"], looks.destroyed)?;
        f.count(&["lost"], looks.lost)
    })?;
    family(encoder, &t::SPURIOUS, |f| f.count(&[], looks.spurious))?;
    family(encoder, &t::LOOKS, |f| {
        f.count(&["dump"], looks.dumps)?;
        f.count(&["poll"], looks.polls)
    })?;
    family(encoder, &t::QUEUE_WAITING, |f| {
        measures.queues.iter().try_for_each(|it| f.gauge(&[it.name], it.waiting))
    })?;
    family(encoder, &t::QUEUE_LIMIT, |f| {
        measures.queues.iter().try_for_each(|it| f.gauge(&[it.name], it.limit))
    })?;
    family(encoder, &t::EVENTS_LOST, |f| f.count(&[], measures.events_lost))?;
    let (good, refused) = measures.reloads;
    family(encoder, &t::RELOADS, |f| {
        f.count(&["ok"], good)?;
        f.count(&["refused"], refused)
    })?;
    family(encoder, &t::RELOAD_GOOD, |f| f.is(&[], measures.last_reload_good))?;
    family(encoder, &t::CONFIG, |f| {
        let hash = sha_256(measures.config.toml.as_bytes());
        let start: String = hash.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
        f.info(&[&start])
    })?;
    let loaded = measures.config_loaded.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
    family(encoder, &t::CONFIG_LOADED, |f| f.gauge(&[], loaded))
}

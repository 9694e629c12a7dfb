//! BFD sessions.

use std::fmt;

use ha2bgp_proto::bfd::{Discard, State};
use prometheus_client::encoding::DescriptorEncoder;

use super::family::{Family, family};
use super::measures::Measures;
use super::table as t;
use crate::bfd::states::SessionState;

/// Writes what there is to know of each.
pub(super) fn write(measures: &Measures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let named = measures.bfd.iter().map(|(target, state)| {
        let local = target.local.map(|local| local.to_string()).unwrap_or_default();
        let interface = target.interface.clone().unwrap_or_default();
        let hops = if target.multihop { "multi" } else { "single" };
        ([target.peer.to_string(), local, interface, hops.to_owned()], state)
    });
    let sessions: Vec<([String; 4], &SessionState)> = named.collect();
    let mut each =
        |def, write: &dyn Fn(&mut Family<'_>, [&str; 4], &SessionState) -> fmt::Result| {
            family(encoder, def, |f| {
                let mut sessions = sessions.iter();
                sessions
                    .try_for_each(|(name, state)| write(f, name.each_ref().map(|it| &**it), state))
            })
        };
    each(&t::BFD_UP, &|f, name, it| f.is(&name, it.is_up()))?;
    each(&t::BFD_STATE, &|f, [peer, local, interface, hops], it| {
        State::ALL.into_iter().try_for_each(|state| {
            f.is(&[peer, local, interface, hops, state.code()], it.status.state == state)
        })
    })?;
    each(&t::BFD_SINCE, &|f, name, it| f.gauge(&name, measures.seconds(it.status.since)))?;
    each(&t::BFD_DETECTION, &|f, name, it| {
        let known = it.status.detection_time.into_iter();
        known.map(|time| time.as_secs_f64()).try_for_each(|seconds| f.gauge(&name, seconds))
    })?;
    each(&t::BFD_UPS, &|f, name, it| f.count(&name, it.status.counters.ups))?;
    each(&t::BFD_DOWNS, &|f, name, it| f.count(&name, it.status.counters.downs))?;
    each(&t::BFD_FAILURES, &|f, name, it| f.count(&name, it.status.counters.failures))?;
    each(&t::BFD_SENT, &|f, name, it| f.count(&name, it.status.counters.sent))?;
    each(&t::BFD_RECEIVED, &|f, name, it| f.count(&name, it.status.counters.received))?;
    each(&t::BFD_DISCARDED, &|f, [peer, local, interface, hops], it| {
        Discard::ALL.into_iter().try_for_each(|reason| {
            let count = it.discarded_for(reason);
            f.count(&[peer, local, interface, hops, reason.code()], count)
        })
    })?;
    family(encoder, &t::BFD_STRANGERS, |f| f.count(&[], measures.bfd.strangers))
}

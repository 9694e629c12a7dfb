//! Every metric that is exported: one table. What is written, and docs/reference/metrics.md, are made
//! from it; samples cannot have other labels than those here.

use prometheus_client::metrics::MetricType;

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum In {
    /// Numbers of things, or 0 and 1.
    Nothing,
    /// Seconds.
    Seconds,
    /// Octets.
    Bytes,
    /// 1 is 100 %.
    Ratios,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Is {
    /// It goes up and down.
    Gauge,
    /// It only grows while the program runs.
    Counter,
    /// How often something took how long.
    Histogram,
    /// Always 1: its labels tell something.
    Info,
}

/// One metric.
#[derive(Debug)]
pub struct Def {
    /// Its name without `ha2bgp_`, its unit, and `_total`.
    pub name: &'static str,
    /// What it is.
    pub is: Is,
    /// In what it is measured.
    pub unit: In,
    /// Its labels, in their order.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

impl Is {
    pub(super) const fn metric_type(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }

    /// What OpenMetrics calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl In {
    /// What it is called in names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratios => "ratios",
        }
    }
}

impl Def {
    /// The name of the family as it goes out.
    pub fn family(&self) -> String {
        let unit = if self.unit == In::Nothing { "" } else { "_" };
        format!("ha2bgp_{}{unit}{}", self.name, self.unit.name())
    }

    /// The name that is asked for in PromQL; of a histogram without `_bucket`, `_sum`, `_count`.
    pub fn queried(&self) -> String {
        let suffix = match self.is {
            Is::Counter => "_total",
            Is::Info => "_info",
            Is::Gauge | Is::Histogram => "",
        };
        self.family() + suffix
    }
}

macro_rules! metrics {
    ($($group:literal { $($id:ident $is:ident $unit:ident $name:literal
        [$($label:ident),*] $help:literal)+ })+) => {
        $($(#[doc = $help] pub(super) static $id: Def = Def {
            name: $name, is: Is::$is, unit: In::$unit, labels: &[$(stringify!($label)),*],
            help: $help,
        };)+)+
        /// All of them, in groups with their headings.
        pub static GROUPS: &[(&str, &[&Def])] = &[$(($group, &[$(&$id),+])),+];
    };
}

metrics! {
    "Services" {
        SERVICE_ANNOUNCED Gauge Nothing "service_announced" [service, vip]
            "1 while the VIP shall be announced, else 0"
        SERVICE_LAST_CHOICE Gauge Nothing "service_last_choice" [service, vip]
            "1 while it is, or would be, announced as the last choice"
        SERVICE_HEALTH Gauge Nothing "service_health" [service, vip, health]
            "1 for the verdict of its rule, 0 for the others"
        SERVICE_SINCE Gauge Seconds "service_since_timestamp" [service, vip]
            "When it was last announced or withdrawn, since 1970"
        SERVICE_TRANSITIONS Counter Nothing "service_transitions" [service, vip]
            "How often it was announced or withdrawn"
        SERVICE_WOULD_HAVE_WITHDRAWN Counter Nothing "service_would_have_withdrawn" [service, vip]
            "How often checks without power (shadow) would have withdrawn it"
        SERVICE_PENALTY Gauge Nothing "service_damping_penalty" [service, vip]
            "The penalty of flap damping now"
        SERVICE_SUPPRESSED Gauge Nothing "service_suppressed" [service, vip]
            "1 while flap damping holds it down"
        SERVICE_HELD Gauge Nothing "service_held" [service, vip]
            "1 while the guard holds it up"
        SERVICE_OVERRIDDEN Gauge Nothing "service_overridden" [service, vip]
            "1 while an operator's override is of it"
        SERVICES_LEFT_OUT Gauge Nothing "services_left_out" []
            "Services that have no metrics of their own, because there are too many"
    }
    "Checks" {
        CHECK_VERDICT Gauge Nothing "check_verdict" [service, vip, check, verdict]
            "1 for the verdict that a check has now, 0 for the others"
        CHECK_RESULTS Counter Nothing "check_results" [service, vip, check, outcome]
            "Results of probes"
        CHECK_LAST Gauge Seconds "check_last_result_timestamp" [service, vip, check]
            "When the newest result came, since 1970; absent before the first"
        CHECK_DURATION Histogram Seconds "check_duration" [service, check]
            "How long probes took; of checks that ask something at intervals"
        CHECK_VALUE Gauge Nothing "check_value" [service, vip, check, label]
            "What the newest probe has measured (performance data of plugins)"
        CHECK_VALUE_SECONDS Gauge Seconds "check_value" [service, vip, check, label]
            "The same, of times"
        CHECK_VALUE_BYTES Gauge Bytes "check_value" [service, vip, check, label]
            "The same, of octets"
        CHECK_VALUE_RATIOS Gauge Ratios "check_value" [service, vip, check, label]
            "The same, of shares: 1 is 100 %"
        CHECK_VALUE_COUNTED Counter Nothing "check_value_counted" [service, vip, check, label]
            "The same, of what only grows"
    }
    "Peers" {
        PEER Info Nothing "peer" [peer, asn, description]
            "Who is told of routes"
        PEER_UP Gauge Nothing "peer_up" [peer]
            "1 while the session is Established, or ExaBGP takes what is written"
        PEER_STATE Gauge Nothing "peer_state" [peer, state]
            "1 for the state that the session is in, 0 for the others"
        PEER_SINCE Gauge Seconds "peer_since_timestamp" [peer]
            "When the session came into its state, since 1970"
        ROUTE_INTENDED Gauge Nothing "route_intended" [service, vip, peer]
            "1 while the peer shall have the route, else 0"
        ROUTE_ANNOUNCED Gauge Nothing "route_announced" [service, vip, peer]
            "1 while the peer was told the route, as far as is known, else 0"
        ROUTES_LEFT_OUT Gauge Nothing "routes_left_out" []
            "Pairs of a service and a peer that have no metrics, because there are too many"
        PEER_WANTED Gauge Nothing "peer_routes_wanted" [peer]
            "Routes that the peer shall have"
        PEER_TOLD Gauge Nothing "peer_routes_told" [peer]
            "Those of them that it was told"
        PEER_PENDING Gauge Nothing "peer_routes_pending" [peer]
            "Announcements and withdrawals that wait to be sent"
        PEER_UNWRITTEN Gauge Bytes "peer_unwritten" [peer]
            "Octets that the connection has not taken yet"
        PEER_RECEIVED Counter Nothing "peer_messages_received" [peer, type]
            "Messages of the peer"
        PEER_SENT Counter Nothing "peer_messages_sent" [peer, type]
            "Messages to the peer"
        PEER_RECEIVED_BYTES Counter Bytes "peer_received" [peer]
            "Octets of the peer"
        PEER_SENT_BYTES Counter Bytes "peer_sent" [peer]
            "Octets to the peer"
        PEER_ANNOUNCED Counter Nothing "peer_announcements" [peer]
            "Prefixes announced to the peer"
        PEER_WITHDRAWN Counter Nothing "peer_withdrawals" [peer]
            "Prefixes withdrawn from the peer"
        PEER_ATTEMPTS Counter Nothing "peer_connection_attempts" [peer]
            "Attempts to connect"
        PEER_ESTABLISHED Counter Nothing "peer_sessions_established" [peer]
            "How often the session came up"
        PEER_DROPPED Counter Nothing "peer_sessions_dropped" [peer]
            "How often it went down from Established"
        PEER_MALFORMED Counter Nothing "peer_malformed" [peer, handling]
            "UPDATEs of the peer that were not as they should be (RFC 7606)"
        DECIDED_TO_SENT Histogram Seconds "decided_to_sent" [peer]
            "From a decision until all that it changed for the peer was written"
        SENT_TO_ACKNOWLEDGED Histogram Seconds "sent_to_acknowledged" [peer]
            "From then until the peer's kernel, or ExaBGP, had acknowledged it"
        STRANGERS Counter Nothing "stranger_connections" []
            "Connections from somebody who is no peer; they were closed"
        EXABGP_COMMANDS Counter Nothing "exabgp_commands" []
            "Commands written to ExaBGP"
        EXABGP_ANSWERS Counter Nothing "exabgp_answers" [answer]
            "Its answers"
        EXABGP_WAITING Gauge Nothing "exabgp_waiting" []
            "Commands that wait for an answer"
        EXABGP_REJECTED Gauge Nothing "exabgp_rejected" []
            "Prefixes whose last command was answered with an error"
    }
    "BFD" {
        BFD_UP Gauge Nothing "bfd_up" [peer, local, interface, hops]
            "1 while both ends hear each other, else 0"
        BFD_STATE Gauge Nothing "bfd_state" [peer, local, interface, hops, state]
            "1 for the state that the session is in, 0 for the others"
        BFD_SINCE Gauge Seconds "bfd_since_timestamp" [peer, local, interface, hops]
            "When the session came into its state, since 1970"
        BFD_DETECTION Gauge Seconds "bfd_detection_time" [peer, local, interface, hops]
            "It fails when nothing is heard for so long; absent while nobody is known"
        BFD_UPS Counter Nothing "bfd_ups" [peer, local, interface, hops]
            "How often it came up"
        BFD_DOWNS Counter Nothing "bfd_downs" [peer, local, interface, hops]
            "How often it went down, for whatever reason"
        BFD_FAILURES Counter Nothing "bfd_failures" [peer, local, interface, hops]
            "How often the way or the other end failed, of those"
        BFD_SENT Counter Nothing "bfd_packets_sent" [peer, local, interface, hops]
            "Packets sent"
        BFD_RECEIVED Counter Nothing "bfd_packets_received" [peer, local, interface, hops]
            "Packets received, and taken"
        BFD_DISCARDED Counter Nothing "bfd_packets_discarded" [peer, local, interface, hops, reason]
            "Packets that were not as they should be, or came from too far away (hop-limit)"
        BFD_STRANGERS Counter Nothing "bfd_strangers" []
            "Datagrams to the ports of BFD that were no packets, or of no session"
    }
    "The program" {
        BUILD Info Nothing "build" [version]
            "Which ha2bgp this is"
        START Gauge Seconds "start_timestamp" []
            "When it was started, since 1970"
        READY Gauge Nothing "ready" []
            "1 when every service that was found has its first verdict"
        DRAINING Gauge Nothing "draining" []
            "1 while it drains before it ends"
        OBSERVED_TO_DECIDED Histogram Seconds "observed_to_decided" []
            "From an observation until it had changed the routes, where no delay had to pass"
        OBSERVER_UP Gauge Nothing "observer_up" [observer]
            "1 while it can be seen what listens (listen), or which addresses there are (address)"
        GUARD_HELD Gauge Nothing "guard_held" []
            "Routes that the guard holds"
        GUARD_VETOES Counter Nothing "guard_vetoes" []
            "How often the guard held a route"
        GUARD_ROOM Gauge Nothing "guard_room" []
            "Withdrawals that it would let through now; +Inf without a guard"
        OVERRIDES Gauge Nothing "overrides" [kind]
            "Overrides of operators that count"
        DOORBELLS Counter Nothing "listen_calls" [by]
            "How often the listen observer was called to look"
        LOOKS Counter Nothing "listen_looks" [how]
            "How often it looked: at everything (dump), or after what is announced (poll)"
        QUEUE_WAITING Gauge Nothing "queue_waiting" [queue]
            "What waits in a queue of the engine"
        QUEUE_LIMIT Gauge Nothing "queue_limit" [queue]
            "How much may wait there"
        EVENTS_LOST Counter Nothing "events_lost" []
            "Records for history, log and stream that found no place"
        RELOADS Counter Nothing "config_reloads" [result]
            "Reloads of the configuration"
        RELOAD_GOOD Gauge Nothing "config_last_reload_ok" []
            "1 unless the last reload was refused"
        CONFIG Info Nothing "config" [hash]
            "The configuration in force: the start of the SHA-256 of its text without secrets"
        CONFIG_LOADED Gauge Seconds "config_loaded_timestamp" []
            "When the configuration in force was made to count, since 1970"
    }
}

/// The reference page, in Markdown.
#[cfg(test)]
pub(super) fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\nWhat `GET /metrics` has. Counters have `_total` behind their name, histograms \
         `_bucket`, `_sum` and `_count`. [metrics.md](../metrics.md) says how to get and read them. Made \
         from the program's own table: `cargo test -p ha2bgp` rewrites this page when it is out of \
         date.\n",
    );
    for (group, defs) in GROUPS {
        page.push_str(&format!("\n## {group}\n\n| metric | type | labels | meaning |\n"));
        page.push_str("|---|---|---|---|\n");
        for def in *defs {
            let (name, is, labels) = (def.queried(), def.is.name(), def.labels.join(", "));
            page.push_str(&format!("| `{name}` | {is} | {labels} | {} |\n", def.help));
        }
    }
    page
}

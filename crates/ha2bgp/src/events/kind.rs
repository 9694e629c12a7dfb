//! What kinds of records there are: one closed list with stable names.

/// Makes the list, so that nothing of a kind can be forgotten.
macro_rules! kinds {
    ($($name:ident $text:literal $message:literal $about:literal,)*) => {
        /// A kind of record. Its [`name`](Self::name) is the same in the log, in the history, in
        /// the stream of events and in the docs.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Kind {
            $(#[doc = $about] $name,)*
        }

        impl Kind {
            /// All of them, in the order of the docs.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name, kebab-case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One sentence for a person.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// The `MESSAGE_ID` of the journal: 128 bits that never change (systemd.journal-fields(7)).
            pub const fn message_id(self) -> u128 {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

kinds! {
    Started "started" 0x130d_a1e8_ebe2_4322_9435_dc62_1a5b_56ac
        "ha2bgp has started",
    Stopped "stopped" 0xa25f_7430_b94d_404b_a1bd_cb21_c7e6_eae0
        "ha2bgp has ended in order: nothing was left out before this",
    ServiceDiscovered "service-discovered" 0x5d9d_3688_e6dd_4395_a36d_e794_59f0_4da5
        "a socket listens on a new address inside the allowed networks",
    ServiceForgotten "service-forgotten" 0xf916_985b_a233_4aeb_910e_8143_6602_471c
        "nothing has listened on the address for a long time",
    ServiceRefused "service-refused" 0x6437_434e_9d35_4614_a941_9e17_f5fd_c328
        "there are too many services: this one is not taken in",
    HealthChanged "health-changed" 0xc824_319a_af4e_4613_bf44_10f7_f443_8c65
        "the verdict of a service's rule has changed",
    CheckChanged "check-changed" 0xb791_6810_cdee_422e_bdfd_ffc4_f3f3_7b41
        "the verdict of a check has changed",
    WouldWithdraw "would-withdraw" 0x5b02_f49a_2fab_40aa_a5ea_fced_0b2a_1bdb
        "checks without power (shadow) would have it withdrawn",
    RouteAnnounced "route-announced" 0x634a_1895_ab50_4dd9_80f2_4204_167c_ebdb
        "a route is wanted from now on, or in another way",
    RouteWithdrawn "route-withdrawn" 0x3b19_7b86_a0a0_42dd_b144_218d_8985_3b7c
        "a route is not wanted any more",
    WithdrawalHeld "withdrawal-held" 0x61af_b1a3_26cf_48b6_a90e_f9f6_7d3a_d67d
        "the guard holds a route that checks would withdraw: too many were withdrawn of late",
    OverrideSet "override-set" 0x50dd_cb09_f0af_47fa_b59d_faa4_af41_7fc6
        "somebody has said something over the heads of the checks: drain, maintenance, force",
    OverrideEnded "override-ended" 0x53ea_0277_1edb_4268_9589_1fc5_1c68_9dfc
        "such an override has ended",
    Reconfigured "reconfigured" 0xb046_0297_6ee9_4ccf_823b_3e84_5ae5_c4be
        "another configuration counts",
    ReloadRefused "reload-refused" 0xab94_6e53_0d71_42b0_9538_6c5a_3ab8_ae04
        "a reload was refused: the configuration stays as it was",
    PeerConfigured "peer-configured" 0x9a43_35c4_4923_a69d_477e_0f96_48c3_76e5
        "a reload has added, changed or removed a peer",
    LogLevel "log-level" 0x0b75_f486_f8e8_46a4_a217_2e5f_ed91_aa9c
        "somebody has changed the level of the log",
    Suppressed "suppressed" 0xf63b_58c4_32c9_44b9_afa5_f646_9f94_deca
        "it has changed too often: flap damping holds it withdrawn",
    Released "released" 0x2ddf_097b_2e93_4400_9b97_81fb_a709_95fa
        "it has been calm: flap damping holds it no longer",
    FirstVerdicts "first-verdicts" 0xb5eb_3a13_3661_496f_9442_7f41_7d3a_d67d
        "every service that was there at the start has been judged",
    SourceReady "source-ready" 0xccef_6007_8ea6_4abc_b5bc_9992_8f6f_ada0
        "an observer has looked at the whole host for the first time",
    SourceFailed "source-failed" 0xedf4_bc80_2e3f_4759_93a6_2384_f09b_a805
        "an observer cannot look at this host: the last state stays",
    SourceUnknown "source-unknown" 0xa685_11c6_b229_401a_9f23_80e5_8c1a_c171
        "an observer could not look for too long: routes are held as they are",
    SourceRecovered "source-recovered" 0x9105_c6f7_83da_4db6_83c2_3681_245d_57a2
        "an observer can look again",
    PeerEstablished "peer-established" 0xcb6d_d654_f26a_4439_8875_90b5_c22c_928a
        "a BGP session is established",
    PeerLost "peer-lost" 0xb9d1_42a8_6110_4019_af20_0319_4ee2_6ad8
        "a BGP session that was established has ended",
    PeerDown "peer-down" 0xd39e_607a_6cf5_4e32_832a_f8f9_832b_8c90
        "a BGP session has not come up",
    PeerUnreachable "peer-unreachable" 0xbfbe_f457_3e17_457e_bddd_1a02_ed06_741e
        "there is no connection to a peer; told once until something changes",
    PeerRefused "peer-refused" 0x2e8c_eee6_ec54_4003_bc91_1c4c_fe28_44d3
        "a connection of a peer was refused",
    PeerRefresh "peer-refresh" 0x7bc1_1f6b_a768_468a_ad6e_e1b8_6ed5_d84b
        "a peer asks for all routes again",
    PeerMalformed "peer-malformed" 0x3e99_1bbf_096b_4e36_88b2_8b19_903b_076f
        "a peer has sent a malformed UPDATE (RFC 7606)",
    PeerUnsendable "peer-unsendable" 0x9023_6873_5e24_4388_9555_7ab8_6ec4_4ca3
        "routes of a family cannot be announced to a peer",
    PeerCapabilities "peer-capabilities" 0xa718_19ac_e4e7_4500_b236_3220_9915_c4ef
        "a peer refuses capabilities: they are left out",
    BfdUp "bfd-up" 0x079b_4e2f_f3ef_4521_887a_f383_43fe_2c53
        "a BFD session is up: the way to the other end works",
    BfdDown "bfd-down" 0xccd4_6234_d216_455f_af4d_1455_9501_c30c
        "a BFD session that was up is no longer",
    BfdTrouble "bfd-trouble" 0x9de6_8e10_229d_416f_80ee_e244_11f3_d9e6
        "this host cannot send or receive the packets of a BFD session",
    CannotListen "cannot-listen" 0x5d4c_7cde_af3d_4fbd_a435_fe99_52a3_ecbf
        "peers cannot connect to this host",
    ExabgpDialect "exabgp-dialect" 0x30ff_d4e3_e36d_4b55_aa21_05d5_5f52_d92c
        "it was learned which API ExaBGP speaks",
    ExabgpAnswers "exabgp-answers" 0xb916_1942_f164_4bd8_91c3_a41b_2cad_49f7
        "it was learned whether ExaBGP answers commands",
    ExabgpRejected "exabgp-rejected" 0x408c_7644_b86f_4acd_9ba5_95c4_a626_f36f
        "ExaBGP refuses a command",
    ExabgpAccepted "exabgp-accepted" 0x5142_d070_fd25_4049_8c28_a562_30de_42b6
        "ExaBGP takes what it has refused before",
    ExabgpStalled "exabgp-stalled" 0x9ecc_9bc3_7d08_42dd_9074_f638_bebf_7700
        "ExaBGP has stopped answering",
    ExabgpResumed "exabgp-resumed" 0x71ed_1a10_f084_4d70_954d_cad0_2334_9a64
        "ExaBGP answers again",
    ExabgpStops "exabgp-stops" 0x0dcd_a7e6_67de_4946_ac70_4bbd_f0df_d966
        "ExaBGP ends",
    ExabgpResynchronised "exabgp-resynchronised" 0x1155_1cd6_410f_452d_b16e_06c2_2d95_cce5
        "answers of ExaBGP were lost: what waited for them is sent again",
}

impl Kind {
    /// The kind of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// The reference page, in Markdown.
#[cfg(test)]
fn reference() -> String {
    let mut page = String::from(
        "# Events\n\nWhat is told: the kind is the same in the log, in `ha2bgp history`, in the stream of \
         events and here. [history.md](../history.md) says what a record holds. Made from the program's \
         own list: `cargo test -p ha2bgp` rewrites this page when it is out of date.\n\n\
         | kind | meaning | `MESSAGE_ID` in the journal |\n|---|---|---|\n",
    );
    for kind in Kind::ALL {
        page.push_str(&format!(
            "| `{}` | {} | `{:032x}` |\n",
            kind.name(),
            kind.about(),
            kind.message_id()
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let numbers: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.message_id()).collect();
        assert_eq!((names.len(), numbers.len()), (Kind::ALL.len(), Kind::ALL.len()));
        for kind in Kind::ALL {
            assert_eq!(Kind::of_name(kind.name()), Some(*kind));
            let good = |byte: u8| byte == b'-' || byte.is_ascii_lowercase();
            assert!(kind.name().bytes().all(good), "{}", kind.name());
        }
    }

    #[test]
    fn the_reference_page_is_fresh() {
        crate::cli::flags::assert_fresh("docs/reference/events.md", &reference());
    }
}

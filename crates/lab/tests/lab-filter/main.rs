//! The filter language against its two references: the real `ss`, and the running kernel.
//!
//! Everything happens in network namespaces of threads, which end with the thread. The tests need
//! root; those with `ss` need iproute2 6.1 and say so when they skip. Where `ss` and the kernel
//! disagree (see the head of `ha2bgp_proto::filter`), the comparison with `ss` keeps away by
//! construction, and the one with the kernel does not.

mod diag;
mod place;
mod random;
mod real;
mod table;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ha2bgp_core::fact::Protocol;
use ha2bgp_proto::family::Family;
use ha2bgp_proto::filter::{Bytecode, Context, Filter, FilterError, Services};
use place::Place;
use random::{Random, Realm};

/// How many random filters each comparison tries.
const RANDOM_FILTERS: usize = 400;

/// The language, as it is on this host.
struct Language {
    services: Services,
}

impl Language {
    fn of_this_host() -> Self {
        let text = std::fs::read_to_string("/etc/services").unwrap_or_default();
        Self { services: Services::parse(&text) }
    }

    fn parse(&self, place: &Place, text: &str) -> Result<Filter, FilterError> {
        Filter::parse(
            text,
            &Context { services: &self.services, protocols: &[Protocol::Tcp], names: place },
        )
    }
}

/// Says something on the terminal.
#[expect(clippy::print_stderr, reason = "the person at the terminal must see it")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// Why this test cannot run here; a test that skips is not a test that passed.
fn skip(reason: &str) {
    tell(&format!("SKIPPED: {reason}"));
}

/// Inodes of the sockets that the filter selects by our own judgement, both judges agreeing.
fn expected(place: &Place, filter: &Filter) -> BTreeSet<u64> {
    let code = filter.bytecode();
    let mut inodes = BTreeSet::new();
    for (inode, socket) in place.sockets() {
        let matches = filter.matches(&socket);
        if !code.is_empty() {
            let code = Bytecode::audit(code).expect("our bytecode passes the audit");
            let expression = filter.expression().expect("bytecode has an expression");
            assert_eq!(code.accepts(&socket), expression.matches(&socket), "{filter}");
        }
        if matches {
            inodes.insert(inode);
        }
    }
    inodes
}

/// Runs `check` on random filters; a failure names the seed that repeats it.
fn with_random_filters(realm: Realm, mut check: impl FnMut(&str, &mut Random)) {
    let seed = random::seed();
    let mut random = Random::new(seed);
    for _ in 0..RANDOM_FILTERS {
        let text = random.filter(realm);
        let random = &mut random;
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&text, random)));
        if let Err(cause) = outcome {
            tell(&format!("repeat with HA2BGP_FILTER_SEED={seed}: {text}"));
            resume_unwind(cause);
        }
    }
}

#[test]
fn ss_shows_the_sockets_that_match() {
    if let Err(reason) = real::ss_usable() {
        return skip(&reason);
    }
    let ran = Place::run(|place| {
        let language = Language::of_this_host();
        let mut shown_some = 0;
        with_random_filters(Realm::Ss, |text, _| {
            let shown = real::shown(text);
            match language.parse(place, text) {
                Ok(filter) => {
                    assert_eq!(shown.as_ref(), Ok(&expected(place, &filter)), "{text}\n{filter}");
                    shown_some += usize::from(shown.is_ok_and(|inodes| !inodes.is_empty()));
                }
                Err(error) => assert!(shown.is_err(), "{text}\n{error}"),
            }
        });
        // Filters that match nothing would prove nothing.
        assert!(shown_some > RANDOM_FILTERS / 4, "{shown_some}");
    });
    if let Err(reason) = ran {
        skip(&reason);
    }
}

#[test]
fn the_kernel_selects_the_sockets_that_match() {
    let ran = Place::run(|place| {
        let language = Language::of_this_host();
        let check = |text: &str| {
            // An IPv6 literal behind `inet:` is refused; the comparison with ss sees to that.
            let Ok(filter) = language.parse(place, text) else {
                return;
            };
            let mut inodes = BTreeSet::new();
            for family in [Family::V4, Family::V6] {
                if filter.family().is_none_or(|only| only == family) {
                    let answer = diag::listeners(family, filter.bytecode());
                    inodes.extend(answer.unwrap_or_else(|error| panic!("{text}: {error}")));
                }
            }
            assert_eq!(inodes, expected(place, &filter), "{text}\n{filter}");
        };
        for text in table::READ {
            check(text);
        }
        for text in table::of_cgroups() {
            check(&text);
        }
        with_random_filters(Realm::Kernel, |text, _| check(text));
    });
    if let Err(reason) = ran {
        skip(&reason);
    }
}

/// The kernel's audit and ours refuse the same bytes.
#[test]
fn the_kernel_refuses_the_bytecode_that_we_refuse() {
    let ran = Place::run(|place| {
        let language = Language::of_this_host();
        with_random_filters(Realm::Kernel, |text, random| {
            let mut code = match language.parse(place, text) {
                Ok(filter) => filter.bytecode().to_vec(),
                Err(_) => return,
            };
            for _ in 0..=random.below(3) {
                let at = random.below(code.len());
                code[at] = [0, 1, 4, 7, 8, 10, 12, 16, 20, 33, 255][random.below(11)];
            }
            let audited = Bytecode::audit(&code);
            let answer = diag::listeners(Family::V4, &code);
            assert_eq!(answer.is_ok(), audited.is_ok(), "{code:02x?} {answer:?} {audited:?}");
            if let (Ok(inodes), Ok(audited)) = (answer, audited) {
                let ours = place.sockets().filter(|(_, socket)| {
                    place::family(socket) == Family::V4 && audited.accepts(socket)
                });
                let ours: BTreeSet<u64> = ours.map(|(inode, _)| inode).collect();
                assert_eq!(inodes, ours, "{code:02x?}");
            }
        });
    });
    if let Err(reason) = ran {
        skip(&reason);
    }
}

#[test]
fn ss_sends_the_same_bytecode() {
    if let Err(reason) = real::ss_usable().and_then(|()| real::strace_usable()) {
        return skip(&reason);
    }
    let ran = Place::run(|place| {
        let language = Language::of_this_host();
        let mut random = Random::new(random::seed());
        let more = (0..40).map(|_| random.filter(Realm::Ss));
        let more: Vec<String> = more.chain(table::of_cgroups()).collect();
        let texts = table::READ.iter().copied().chain(more.iter().map(String::as_str));
        let mut compared = 0;
        for text in texts {
            let sent = real::sent_bytecode(text);
            let Ok(filter) = language.parse(place, text) else {
                assert_eq!(sent, [], "{text}");
                continue;
            };
            let families: Vec<Family> = sent.iter().map(|(family, _)| *family).collect();
            let want = filter.family().map_or(vec![Family::V4, Family::V6], |only| vec![only]);
            assert_eq!(families, want, "{text}");
            for (_, code) in sent {
                // The documented difference: ss compiles nothing when `dev` is anywhere.
                let want = if table::has_device(&filter) { &[] } else { filter.bytecode() };
                assert_eq!(code, want, "{text}: {code:02x?}");
            }
            compared += 1;
        }
        assert!(compared >= 60, "{compared}");
    });
    if let Err(reason) = ran {
        skip(&reason);
    }
}

#[test]
fn ss_accepts_and_refuses_the_same_texts() {
    if let Err(reason) = real::ss_usable() {
        return skip(&reason);
    }
    let ran = Place::run(|place| {
        let language = Language::of_this_host();
        for text in table::READ.iter().chain(table::REFUSED) {
            let ours = language.parse(place, text);
            let theirs = real::shown(text);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}\n{ours:?}\n{theirs:?}");
        }
        for text in table::REFUSED {
            assert!(language.parse(place, text).is_err(), "{text}");
        }
        // What ss takes and we do not, on purpose.
        for text in table::REFUSED_BY_US {
            assert!(language.parse(place, text).is_err(), "{text}");
            assert!(real::shown(text).is_ok(), "{text}");
        }
    });
    if let Err(reason) = ran {
        skip(&reason);
    }
}

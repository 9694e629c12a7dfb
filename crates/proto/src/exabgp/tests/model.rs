//! A random ExaBGP: it answers or not, late, wrongly, in pieces, with chatter between. Whatever it
//! did, in the end its table is what we wanted.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::exabgp::event::Acks;

/// What the model does with the next command.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Obey,
    /// Answer `error`, do nothing.
    Refuse,
    /// Obey, but the answer is lost.
    Mute,
}

#[derive(Clone, Debug)]
enum Op {
    /// Toggle these of the 24 prefixes; every third one changes its next hop instead, every fourth
    /// one becomes the last choice.
    Change(u32),
    Pass(u32),
    /// Work off so many commands in this mood.
    Work(u8, Mood),
    /// Hand over so many bytes of the answers.
    Read(u8),
    Chatter(u8),
    /// The pipe takes nothing until the next of these.
    Block(bool),
}

#[derive(Clone, Copy, Debug)]
struct Model {
    json: bool,
    acks: bool,
    grammar: Dialect,
}

struct World {
    lab: Lab,
    model: Model,
    pipe: VecDeque<String>,
    answers: Vec<u8>,
    table: BTreeMap<String, String>,
    /// The last line about each prefix, for the check against needless repetition.
    last: BTreeMap<Prefix, (Verb, NextHop, bool)>,
    desired: RouteSet,
    blocked: bool,
    repeated: usize,
    unanswered: usize,
    /// Answers that were late: what they belong to was given up, and is no longer in any window.
    given_up: bool,
}

impl World {
    fn new(model: Model, options: Options) -> Self {
        Self {
            lab: Lab::new(options),
            model,
            pipe: VecDeque::new(),
            answers: Vec::new(),
            table: BTreeMap::new(),
            last: BTreeMap::new(),
            desired: RouteSet::new(),
            blocked: false,
            repeated: 0,
            unanswered: 0,
            given_up: false,
        }
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Change(mask) => self.change(mask),
            Op::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Op::Work(count, mood) => {
                for _ in 0..count {
                    self.work(mood);
                }
            }
            Op::Read(count) => self.read(usize::from(count)),
            Op::Chatter(kind) => self.chatter(kind),
            Op::Block(blocked) => self.blocked = blocked,
        }
        self.write();
    }

    fn change(&mut self, mask: u32) {
        for bit in (0..24u8).filter(|bit| mask >> bit & 1 == 1) {
            let text =
                if bit % 2 == 0 { format!("192.0.2.{bit}") } else { format!("2001:db8::{bit:x}") };
            let prefix = prefix_of(&text);
            let hop = |last: u8| {
                Route::new(NextHop::Address(core::net::Ipv4Addr::new(10, 0, 0, last).into()))
            };
            let next = match self.desired.get(prefix) {
                None => Some(hop(1)),
                Some(route) if bit % 3 == 0 && *route == hop(1) => Some(hop(2)),
                Some(route) if bit % 4 == 1 && !route.last_choice => {
                    Some(Route { last_choice: true, ..*route })
                }
                Some(_) => None,
            };
            match next {
                Some(route) => {
                    self.desired.insert(prefix, route);
                }
                None => {
                    self.desired.remove(prefix);
                }
            }
        }
        let (session, now) = (&mut self.lab.session, self.lab.now);
        session.set_routes(&self.desired, now);
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.lab.now + duration;
        let mut wakes = 0;
        while let Some(at) = self.lab.session.poll_timeout().filter(|at| *at <= end) {
            self.lab.now = self.lab.now.max(at);
            self.lab.session.handle_timeout(self.lab.now);
            self.given_up |= self.lab.session.snapshot().acks == Acks::Absent;
            self.write();
            wakes += 1;
            assert!(wakes < 100_000, "never sleeps");
        }
        self.lab.now = end;
    }

    /// Writes what the pipe takes and checks the order of each write.
    fn write(&mut self) {
        if self.blocked {
            if self.lab.session.wants_write() {
                self.lab.session.blocked();
            }
            return;
        }
        loop {
            let fresh = {
                let Some(bytes) = self.lab.session.poll_write(self.lab.now) else {
                    break;
                };
                assert!(bytes.len() <= MAX_WRITE);
                let text = core::str::from_utf8(bytes).unwrap().to_string();
                let count = bytes.len();
                self.lab.session.written(count, self.lab.now);
                text
            };
            let mut announced = false;
            for command in self.drain() {
                if command.purpose != Purpose::Change {
                    self.repeated += usize::from(command.purpose != Purpose::Reassert);
                    continue;
                }
                announced |= command.verb == Verb::Announce;
                assert!(command.verb == Verb::Announce || !announced, "{fresh}");
            }
            for line in fresh.lines() {
                self.pipe.push_back(line.to_string());
                self.unanswered += 1;
            }
            let snapshot = self.lab.session.snapshot();
            assert!(snapshot.in_flight <= WINDOW + 1);
            if self.model.acks && !self.given_up && self.repeated == 0 {
                assert!(self.unanswered <= WINDOW + 1, "{}", self.unanswered);
            }
        }
    }

    /// Fetches the events: a change always says something new about its prefix.
    fn drain(&mut self) -> Vec<Command> {
        let mut sent = Vec::new();
        while let Some(event) = self.lab.session.poll_event() {
            if let Event::Sent { command } = event {
                for &prefix in &command.prefixes {
                    let says = (command.verb, command.next_hop, command.last_choice.is_some());
                    let said = self.last.insert(prefix, says);
                    let same = said == Some(says);
                    match command.purpose {
                        Purpose::Change => assert!(!same, "{command:?}"),
                        Purpose::Reassert | Purpose::Retry => assert!(same, "{command:?}"),
                        // Whatever is newest.
                        Purpose::Probe => {}
                    }
                }
                sent.push(command);
            }
        }
        sent
    }

    fn work(&mut self, mood: Mood) {
        let Some(line) = self.pipe.pop_front() else {
            return;
        };
        let known = match (self.model.grammar, line.strip_prefix("peer * ")) {
            (Dialect::V6, Some(rest)) => Some(rest),
            (Dialect::V3 | Dialect::V4, None) => Some(line.as_str()),
            _ => None,
        };
        let known = known.filter(|_| !matches!(mood, Mood::Refuse));
        if let Some(command) = known {
            self.obey(command);
        }
        self.unanswered -= 1;
        if !self.model.acks || matches!(mood, Mood::Mute) {
            return;
        }
        let answer = match (self.model.json, known.is_some()) {
            (false, true) => "done\n",
            (false, false) => "error: because\nerror\n",
            (true, true) => "{ \"answer\": \"done\", \"message\": \"command completed\" }\n",
            (true, false) => "{\"error\": \"because\"}\n{ \"answer\": \"error\" }\nerror\n",
        };
        self.answers.extend_from_slice(answer.as_bytes());
    }

    fn obey(&mut self, command: &str) {
        let (head, attributes) = command.split_once(" next-hop ").unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let (attributes, prefixes) = match (words.as_slice(), attributes.split_once(" nlri ")) {
            ([_, "route", prefix], None) => (attributes, vec![*prefix]),
            ([_, "attributes"], Some((attributes, list))) => {
                (attributes, list.split(' ').collect())
            }
            _ => panic!("{command}"),
        };
        for prefix in prefixes {
            match words[0] {
                "announce" => {
                    self.table.insert(prefix.to_string(), attributes.to_string());
                }
                "withdraw" => {
                    assert!(!attributes.contains(' '), "{command}");
                    self.table.remove(prefix);
                }
                _ => panic!("{command}"),
            }
        }
    }

    fn read(&mut self, count: usize) {
        let count = count.min(self.answers.len());
        let bytes: Vec<u8> = self.answers.drain(..count).collect();
        self.lab.session.handle_bytes(&bytes, self.lab.now);
    }

    fn chatter(&mut self, kind: u8) {
        let line: &[u8] = match kind % 5 {
            0 => b"neighbor 10.0.0.1 up\n",
            1 => b"{ \"exabgp\": \"5.0.0\", \"type\": \"state\" }\n",
            2 => b"\xff\x00\xfe\n",
            3 => b"any text: shutdown\n",
            _ => b"\n",
        };
        // Never inside another line: ExaBGP writes whole ones.
        if self.answers.last().is_none_or(|byte| *byte == b'\n') {
            self.answers.extend_from_slice(line);
        }
    }

    /// From now on the model is well; long enough that everything was said again.
    fn recover(&mut self, seconds: u64) {
        self.blocked = false;
        for _ in 0..seconds * 4 {
            self.pass(Duration::from_millis(250));
            self.write();
            while !self.pipe.is_empty() || !self.answers.is_empty() {
                self.work(Mood::Obey);
                self.read(self.answers.len());
                self.write();
            }
        }
    }

    fn check(&self) {
        let mut want = BTreeMap::new();
        self.desired.for_each(&mut |prefix, route| {
            let last =
                if route.last_choice { LastChoice::default().to_string() } else { String::new() };
            want.insert(prefix.address().to_string(), format!("{}{last}", route.next_hop));
        });
        assert_eq!(self.table, want);
        assert!(self.lab.session.is_settled());
    }
}

fn model() -> impl Strategy<Value = (Model, Options)> {
    let grammar = prop_oneof![Just(Dialect::V4), Just(Dialect::V6)];
    (any::<bool>(), any::<bool>(), grammar, any::<bool>(), 0usize..6).prop_map(
        |(json, acks, grammar, auto, group)| {
            let auto = auto && (acks || grammar == Dialect::V4);
            let options = Options {
                version: match (auto, grammar) {
                    (true, _) => ApiVersion::Auto,
                    (false, Dialect::V6) => ApiVersion::V6,
                    (false, _) => ApiVersion::V5,
                },
                group_from: (group > 1).then_some(group),
                ..Options::default()
            };
            let model = Model { json, acks, grammar };
            (model, options)
        },
    )
}

fn op(moods: BoxedStrategy<Mood>) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Op::Change(a & b)),
        3 => (0u32..3_000).prop_map(Op::Pass),
        1 => (0u32..90_000).prop_map(Op::Pass),
        5 => (0u8..40, moods).prop_map(|(count, mood)| Op::Work(count, mood)),
        5 => any::<u8>().prop_map(Op::Read),
        1 => any::<u8>().prop_map(Op::Chatter),
        1 => any::<bool>().prop_map(Op::Block),
    ]
}

fn healthy_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Op::Change(a & b)),
        3 => (0u32..300).prop_map(Op::Pass),
        5 => (0u8..40).prop_map(|count| Op::Work(count, Mood::Obey)),
        5 => any::<u8>().prop_map(Op::Read),
        1 => any::<u8>().prop_map(Op::Chatter),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Errors, lost answers, stalls, a blocked pipe: once ExaBGP is well again, and everything was
    /// said once more, its table is right.
    #[test]
    fn the_table_is_right_in_the_end(
        (model, options) in model(),
        ops in prop::collection::vec(
            op(prop_oneof![
                6 => Just(Mood::Obey),
                1 => Just(Mood::Refuse),
                1 => Just(Mood::Mute),
            ].boxed()),
            0..120,
        ),
    ) {
        let mut world = World::new(model, options);
        for op in &ops {
            world.step(op);
        }
        world.recover(1_100);
        world.check();
    }

    /// Without faults nothing is ever repeated, and the table is right as soon as we say so.
    #[test]
    fn a_healthy_peer_hears_everything_once(
        (model, options) in model(),
        ops in prop::collection::vec(healthy_op(), 0..120),
    ) {
        let right = model.acks && options.version != ApiVersion::Auto;
        let mut world = World::new(model, Options { reassert: None, ..options });
        for op in &ops {
            if world.lab.now < Instant::from_secs(9) {
                world.step(op);
            }
        }
        let absent = world.lab.session.snapshot().acks == Acks::Absent;
        world.recover(4);
        world.check();
        if right && !absent {
            prop_assert_eq!(world.repeated, 0);
        }
    }

    /// Any bytes at all.
    #[test]
    fn random_bytes_never_panic(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..30),
        words in prop::collection::vec(
            prop::sample::select(vec!["done\n", "error\n", "{", "\"answer\"", ":", "\"done\"", "\n",
                "error: x\n", "\\", "\"", "}"]),
            0..60,
        ),
    ) {
        let mut lab = Lab::version(ApiVersion::Auto);
        lab.want(&["192.0.2.1", "2001:db8::1"]);
        for chunk in &chunks {
            lab.session.handle_bytes(chunk, lab.now);
            lab.flush();
            lab.pass(SEC);
        }
        for word in words {
            lab.say(word);
        }
    }
}

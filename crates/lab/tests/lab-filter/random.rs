//! Random filters from a seed.

/// Which filters make sense.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Realm {
    /// Those where the second look of `ss` in userspace agrees with the kernel.
    Ss,
    /// All.
    Kernel,
}

/// The seed: a new one for each run, unless `HA2BGP_FILTER_SEED` says which to repeat.
pub(crate) fn seed() -> u64 {
    match std::env::var("HA2BGP_FILTER_SEED") {
        Ok(text) => text.parse().expect("HA2BGP_FILTER_SEED is a number"),
        Err(_) => {
            let mut bytes = [0; 8];
            let source = std::fs::File::open("/dev/urandom");
            let read = source.and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
            read.expect("/dev/urandom can be read");
            u64::from_ne_bytes(bytes)
        }
    }
}

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn filter(&mut self, realm: Realm) -> String {
        let depth = self.below(5);
        self.list(realm, depth, true)
    }

    /// One to three expressions, joined. `positive`: not under any `not`.
    fn list(&mut self, realm: Realm, depth: usize, positive: bool) -> String {
        let mut text = self.expression(realm, depth, positive);
        for _ in 0..self.below(3) {
            let join = self.pick(&[" and ", " or ", " ", " & ", " || ", "\tor\t", " or "]);
            text.push_str(join);
            text.push_str(&self.expression(realm, depth, positive));
        }
        text
    }

    fn expression(&mut self, realm: Realm, depth: usize, positive: bool) -> String {
        match self.below(10) {
            0 | 1 => {
                let not = self.pick(&["not", "!"]);
                format!("{not} {}", self.expression(realm, depth.saturating_sub(1), false))
            }
            2..=5 if depth > 0 => format!("( {} )", self.list(realm, depth - 1, positive)),
            _ => self.condition(realm, positive),
        }
    }

    fn condition(&mut self, realm: Realm, positive: bool) -> String {
        match self.below(12) {
            0..=4 => {
                let side = self.pick(&["sport", "sport", "sport", "dport"]);
                let (sign, port) = self.comparison(realm);
                format!("{side} {sign} {port}")
            }
            5..=8 => {
                let side = self.pick(&["src", "src", "src", "dst"]);
                let equal = self.pick(&["", "= ", "== ", "eq "]);
                let host = self.host(realm, positive);
                // The peer of a listener is all zero: a matter of family, where ss disagrees.
                match side {
                    "dst" if realm == Realm::Ss => format!("dst {equal}*"),
                    _ => format!("{side} {equal}{host}"),
                }
            }
            9 => "autobound".into(),
            10 if realm == Realm::Kernel => self
                .pick(&["dev lo", "dev != lo", "dev = pair0", "dev ne pair1", "dev 0", "dev 99"])
                .into(),
            _ => self
                .pick(&[
                    "fwmark 0x10",
                    "fwmark = 0",
                    "fwmark != 0x1f",
                    "fwmark 0x10/0x10",
                    "fwmark neq 1/1",
                    "fwmark 0x20/0x10",
                ])
                .into(),
        }
    }

    fn comparison(&mut self, realm: Realm) -> (&'static str, &'static str) {
        let sign = self.pick(&[
            "", "=", "==", "eq", "!=", "ne", "neq", ">=", "ge", "geq", "<=", "le", ">", "gt", "<",
            "lt",
        ]);
        let ordered = sign.starts_with(['>', '<', 'g', 'l']);
        let port = match realm {
            // The kernel cuts these to 16 bits, and ss does not.
            _ if !ordered && self.below(6) == 0 => {
                self.pick(&["*", ":*", "-1", "*:80", "65616", "-5", "70000"])
            }
            Realm::Kernel if self.below(6) == 0 => {
                self.pick(&["*", "-1", "65616", "-5", "70000", "2147483647"])
            }
            _ => self.pick(&[
                ":80",
                "80",
                "443",
                "0120",
                "0x50",
                "http",
                ":https",
                "8080",
                "1",
                "0",
                "65535",
                "81",
                "9000",
                "+443",
                "inet:80",
                "inet6::443",
                "[443]",
                "1000",
                "8443",
            ]),
        };
        (sign, port)
    }

    fn host(&mut self, realm: Realm, positive: bool) -> &'static str {
        // In userspace ss compares these with sockets of the other family too. It then matches
        // more than the kernel, which shows only under a `not`. The same holds for `any` behind a
        // family prefix anywhere before it.
        if (positive || realm == Realm::Kernel) && self.below(4) == 0 {
            return self.pick(&[
                "0.0.0.0",
                "[::]",
                "0.0.0.0/0",
                "[::/0]",
                "::/0",
                "1.2.3.4/0",
                "[::]:9000",
                "::/1",
                "0/8:8081",
                "inet:any",
                "any",
                "all:80",
                "inet6:default",
            ]);
        }
        self.pick(&[
            "*",
            "*:443",
            "*80",
            ":http",
            "127.0.0.1",
            "127.0.0.1:443",
            "127/8",
            "127.0.0.0/8:80",
            "127.1",
            "192.0.2.0/24",
            "192.0.2.1/31",
            "192.0.2.77/255.255.255.0",
            "0x7f.0.0.2",
            "192.0.2.2:8080",
            "[::1]",
            "[::1]:80",
            "[::1]443",
            "::1/128",
            "2001:db8::/32",
            "[2001:db8::1]",
            "[2001:db8::ffff/64]:443",
            "::ffff:0:0/96",
            "[::ffff:127.0.0.1]",
            "[::ffff:192.0.2.1]:443",
            "inet:127.0.0.1",
            "inet6:[::1]",
            "inet:*",
            "inet6:*:443",
            "[127.0.0.1]:80",
            "10.0.0.0/8",
        ])
    }
}

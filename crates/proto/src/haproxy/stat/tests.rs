//! Real answers of 2.6, headers of other versions, limits, and any cut.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;

const REAL: &[u8] = include_bytes!("../testdata/stat-2.6.csv");

/// Fed in pieces of that size.
fn in_pieces(bytes: &[u8], size: usize) -> Result<Table, StatError> {
    let mut reader = StatReader::default();
    for piece in bytes.chunks(size) {
        reader.feed(piece)?;
    }
    reader.finish()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_real_answer() {
    let table = parse(REAL).unwrap();
    assert_eq!(table.rows(), 31);
    let names: Vec<_> = table.proxies().map(|(name, _)| name).collect();
    assert_eq!(names, ["empty", "redir", "stats", "tcpapp", "web"]);
    assert_eq!(table.frontend("web").unwrap().status, Status::Open);
    assert_eq!(table.frontend("redir").unwrap().status, Status::Paused);
    assert_eq!(table.frontend("empty"), None);
    assert_eq!(table.backend("redir"), None);
    let (backend, servers) = table.backend("web").unwrap();
    assert_eq!((backend.status.clone(), backend.active), (Status::Up(None), Some(1)));
    let seen: Vec<String> = servers
        .iter()
        .map(|it| {
            let weight = it.user_weight.unwrap();
            let check = it.check_status().unwrap_or("-");
            format!("{} {} {weight} {} {check}", it.name(), it.status, it.is_backup())
        })
        .collect();
    assert_eq!(
        seen,
        [
            "web1 MAINT 10 false -",
            "web2 UP 20 false L7OK",
            "web3 DRAIN 5 false -",
            "web4 DOWN 0 false L4CON",
            "b1 DOWN 1 true L4CON",
            "m1 MAINT 1 false -",
            "t1 MAINT (via web/web1) 1 false -",
            "n1 MAINT (resolution) 1 false -",
        ]
    );
    let web4 = servers.get(3).unwrap();
    assert_eq!(web4.last_check(), Some("Connection refused"));
    assert_eq!(web4.address(), Some("127.0.0.1:18104"));
    assert_eq!(table.proxy("tcpapp").unwrap().servers.first().unwrap().mode, Some(Mode::Tcp));
    assert_eq!(table.frontend("web").unwrap().session_limit, Some(100));
    assert_eq!(table.backend("empty").unwrap().1, []);
}

#[test]
fn listeners_tell_which_frontends_serve_an_address() {
    let table = parse(REAL).unwrap();
    let of = |address, port| table.frontends_of(ip(address), port);
    assert_eq!(of("127.0.0.1", Some(18080)), ["web"]);
    assert_eq!(of("127.0.0.1", Some(18090)), ["redir"]);
    assert_eq!(of("127.0.0.1", Some(9)), Vec::<&str>::new());
    // 0.0.0.0:18085 and [::]:18086, which may take IPv4 too.
    assert_eq!(of("192.0.2.7", Some(18085)), ["web"]);
    assert_eq!(of("192.0.2.7", Some(18086)), ["web"]);
    assert_eq!(of("2001:db8::1", Some(18085)), Vec::<&str>::new());
    assert_eq!(of("2001:db8::1", Some(18087)), ["web"]);
    assert_eq!(of("::1", Some(18084)), ["web"]);
    assert_eq!(of("127.0.0.1", None), ["redir", "stats", "tcpapp", "web"]);
}

/// What the versions put between and after the columns we read.
#[test]
fn columns_are_found_by_name() {
    // 2.2 has no uweight; 3.x has more names, and modules after "-".
    let old = "# pxname,svname,qcur,scur,slim,status,weight,act,bck,type,check_status,addr,mode,\n\
               web,s1,0,1,,UP 1/3,10,0,1,2,* L7OK,192.0.2.1:80,http,\n";
    let row = parse(old.as_bytes()).unwrap().backend("web").is_none();
    assert!(row, "a server alone makes no backend");
    let table = parse(old.as_bytes()).unwrap();
    let server = table.proxy("web").unwrap().servers.first().unwrap();
    assert_eq!(server.status, Status::Up(Some((1, 3))));
    assert_eq!((server.weight, server.user_weight), (Some(10), None));
    assert_eq!((server.sessions, server.session_limit), (Some(1), None));
    assert!(server.is_backup());
    assert_eq!(server.check_status(), Some("* L7OK"));
    // Turned around, as no version does, and without what is not needed.
    let odd = "# type,new_in_4,status,svname,pxname,-,h3_data\n1,x,DOWN,BACKEND,web,,7\n";
    let table = parse(odd.as_bytes()).unwrap();
    let (backend, _) = table.backend("web").unwrap();
    assert_eq!(backend.status, Status::Down(None));
    assert_eq!((backend.weight, backend.mode, backend.address()), (None, None, None));
    // A line may be shorter than the header.
    let short = "# pxname,svname,status,type,addr\nweb,FRONTEND,OPEN,0\n";
    assert_eq!(parse(short.as_bytes()).unwrap().rows(), 1);
}

#[test]
fn quotes_are_read_as_rfc_4180_says() {
    let text = "# pxname,svname,last_chk,status,type,addr\n\
                w,a,\"said \"\"no, never\"\"\",DOWN,2,x\n\
                w,b,\"two\nlines\",UP,2,\"y\"\n\
                w,c,odd\"one,UP,2,z\"\n\
                w,d,\"\",UP,2,\"\"\r\n";
    let table = parse(text.as_bytes()).unwrap();
    let servers = &table.proxy("w").unwrap().servers;
    let seen: Vec<_> = servers
        .iter()
        .map(|it| (it.last_check().unwrap_or("-"), it.address().unwrap_or("-")))
        .collect();
    assert_eq!(
        seen,
        [("said \"no, never\"", "x"), ("two\nlines", "y"), ("odd\"one", "z\""), ("-", "-")]
    );
}

#[test]
fn every_status_word_comes_back_as_it_was() {
    for word in [
        "OPEN",
        "FULL",
        "WAITING",
        "PAUSED",
        "STOP",
        "UP",
        "UP 1/3",
        "DOWN",
        "DOWN 1/2",
        "DOWN (agent)",
        "NOLB",
        "NOLB 1/2",
        "MAINT",
        "MAINT (via a/b)",
        "MAINT (resolution)",
        "DRAIN",
        "DRAIN 1/2",
        "DRAIN (agent)",
        "no check",
        "",
        "UP ",
        "UP 1/",
        "UP 1/9999999999",
        "NEW WORD",
        "MAINTENANCE",
    ] {
        let status = Status::parse(word.as_bytes());
        assert_eq!(status.to_string(), word);
        let known = !word.is_empty()
            && !["UP ", "UP 1/", "UP 1/9999999999", "NEW WORD", "MAINTENANCE"].contains(&word);
        assert_eq!(!matches!(status, Status::Unknown(_)), known, "{word:?}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let error = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error("220 mail ESMTP\n").contains("220 mail ESMTP"));
    assert!(error("").contains("first line"));
    assert!(error("# pxname,svname,status\n").contains("\"type\""));
    let header = "# pxname,svname,status,type\n";
    assert!(error(&format!("{header}a,b,UP,7\n")).contains("row 1: type must be"));
    assert!(error(&format!("{header},b,UP,2\n")).contains("pxname or svname"));
    let twice = format!("{header}a,FRONTEND,OPEN,0\na,FRONTEND,OPEN,0\n");
    assert!(error(&twice).contains("row 2: this frontend"));
    assert!(error(&format!("{header}a,b,UP,2\na,c,UP")).contains("after 1 rows"));
    assert!(error(&format!("{header}a,\"b,UP,2\n")).contains("middle of a line"));
}

#[test]
fn an_endless_answer_stops_at_the_limits() {
    let header = b"# pxname,svname,status,type\n";
    let fill = |piece: &[u8]| {
        let mut reader = StatReader::default();
        reader.feed(header).unwrap();
        loop {
            if let Err(error) = reader.feed(piece) {
                return (error, reader.content.rows);
            }
        }
    };
    let too_much = |max, unit| StatError::TooMuch { max, unit };
    let (error, _) = fill(&[b'x'; 1000]);
    assert_eq!(error, too_much(LINE_MAX, "octets in one line"));
    let (error, rows) = fill(&b"a,b,UP,2\n".repeat(100));
    assert_eq!((error, rows), (too_much(ROWS_MAX, "rows"), ROWS_MAX + 1));
    let long = ["a,b,UP,2,", &"x".repeat(60_000), "\n"].concat();
    let (error, _) = fill(long.as_bytes());
    assert_eq!(error, too_much(BYTES_MAX, "octets"));
    let wide = format!("#{}\n", "a,".repeat(COLUMNS_MAX));
    assert_eq!(parse(wide.as_bytes()), Err(too_much(COLUMNS_MAX, "columns")));
}

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"# pxname,svname,status,type,addr,last_chk\n".to_vec()),
        Just(b"web,s1,UP 1/3,2,\"a,\"\"b\"\n".to_vec()),
        Just(b"web,FRONTEND,OPEN,0\n".to_vec()),
        "[a-z0-3,\"\n ]{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(bytes in octets(), size in 1_usize..40) {
        prop_assert_eq!(in_pieces(&bytes, size), parse(&bytes));
    }

    #[test]
    fn the_real_answer_may_be_cut_anywhere(size in 1_usize..9000) {
        prop_assert_eq!(in_pieces(REAL, size), parse(REAL));
    }

    /// Both ways of cutting a line see the same fields.
    #[test]
    fn quoted_and_plain_lines_agree(fields in prop::collection::vec("[a-z ]{1,9}", 6)) {
        let header = "# pxname,x,svname,status,type,addr,last_chk\n";
        let plain = format!("{header}{},{},{},{},2,{},{}\n",
            fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]);
        let quoted = format!("{header}\"{}\",{},{},\"{}\",2,{},\"{}\"\n",
            fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]);
        prop_assert_eq!(parse(plain.as_bytes()), parse(quoted.as_bytes()));
    }
}

use std::io::{IoSliceMut, Read as _, Seek as _};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::*;
use crate::events::{Draft, Id, Record};

/// A socket that stands for the journal.
struct Fake {
    dir: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("socket")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { dir, socket }
    }

    fn journal(&self) -> Journal {
        Journal::at(self.dir.path().join("socket"))
    }

    /// The next entry, from its datagram or from the file in it.
    fn next(&self) -> (Vec<u8>, bool) {
        let mut bytes = vec![0; 1024 * 1024];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(&mut bytes)];
        let got = recvmsg(&self.socket, &mut into, &mut ancillary, RecvFlags::empty()).unwrap();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(mut files) = message {
                let mut file = File::from(files.next().unwrap());
                assert!(file.write_all(b"x").is_err(), "it is not sealed");
                let mut bytes = Vec::new();
                file.rewind().unwrap();
                file.read_to_end(&mut bytes).unwrap();
                return (bytes, true);
            }
        }
        bytes.truncate(got.bytes);
        (bytes, false)
    }
}

fn record() -> Record {
    let draft = Draft::new(Kind::RouteWithdrawn, Level::Info, "withdrawing: a check fails")
        .service("web")
        .prefix("100.64.0.10/32".parse().unwrap())
        .reason(ha2bgp_core::reason::Reason::CheckFailed)
        .check("page", "two\nlines")
        .more("next_hop", "self");
    draft.finish(Id::default().plus(3), jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn a_record_is_an_entry_with_its_fields() {
    let fake = Fake::new();
    let line = Line::of_record(Arc::new(record()));
    fake.journal().send(&entry(&line)).unwrap();
    let want = "MESSAGE=withdrawing: a check fails prefix=100.64.0.10/32 service=web \
                reason=check-failed next_hop=self\nPRIORITY=6\nSYSLOG_IDENTIFIER=ha2bgp\n\
                MESSAGE_ID=3b197b86a0a042ddb144218d89853b7c\nHA2BGP_ID=0-3\n\
                HA2BGP_KIND=route-withdrawn\nHA2BGP_PREFIX=100.64.0.10/32\nHA2BGP_SERVICE=web\n\
                HA2BGP_REASON=check-failed\nHA2BGP_NEXT_HOP=self\nHA2BGP_CHECK=page\n\
                HA2BGP_DETAIL\n\x09\0\0\0\0\0\0\0two\nlines\n";
    let (got, in_file) = fake.next();
    assert_eq!((String::from_utf8(got).unwrap().as_str(), in_file), (want, false));
}

/// A value must not be able to make fields of its own.
#[test]
fn other_lines_and_hostile_values() {
    let fields = vec![("bad name=".to_owned(), "a\nPRIORITY=0".to_owned())];
    let line = Line { level: Level::Error, text: "one\ntwo".to_owned(), fields, record: None };
    let got = entry(&line);
    let want =
        b"MESSAGE=one\\ntwo bad name==a\\nPRIORITY=0\nPRIORITY=3\nSYSLOG_IDENTIFIER=ha2bgp\n\
        HA2BGP_BAD_NAME_\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n";
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(want));
}

#[test]
fn what_is_too_long_for_a_datagram_goes_as_a_file() {
    let fake = Fake::new();
    let long = vec![b'x'; 600 * 1024];
    let mut journal = fake.journal();
    journal.send(&long).unwrap();
    assert_eq!(fake.next(), (long, true));
    journal.send(b"MESSAGE=next\n").unwrap();
    assert_eq!(fake.next(), (b"MESSAGE=next\n".to_vec(), false));
}

#[test]
fn a_journal_that_is_gone_is_told_and_one_that_is_back_is_used() {
    let Fake { dir, socket } = Fake::new();
    let path = dir.path().join("socket");
    let mut journal = Journal::at(path.clone());
    drop(socket);
    assert!(journal.send(b"MESSAGE=x\n").is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(journal.send(b"MESSAGE=x\n").is_err());
    let fake = Fake { socket: UnixDatagram::bind(&path).unwrap(), dir };
    journal.send(b"MESSAGE=x\n").unwrap();
    assert_eq!(fake.next().0, b"MESSAGE=x\n");
}

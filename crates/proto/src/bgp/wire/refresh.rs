//! ROUTE-REFRESH (RFC 2918 section 3, RFC 7313 section 3.2).

use alloc::vec::Vec;

use super::cursor::Cursor;
use super::family::Family;
use super::header::{self, HEADER, Kind};
use super::notification::Notification;

/// What a ROUTE-REFRESH message is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Refresh {
    /// Send everything again.
    Request = 0,
    /// Everything follows.
    Begin = 1,
    /// That was everything.
    End = 2,
}

/// Writes the message.
pub fn encode_refresh(out: &mut Vec<u8>, family: Family, refresh: Refresh) {
    let start = header::begin(out, Kind::RouteRefresh);
    out.extend_from_slice(&family.afi().to_be_bytes());
    out.extend_from_slice(&[refresh as u8, 1]);
    header::finish(out, start);
}

/// Reads a whole message. Nothing when it is to be ignored: another family, or a subtype that
/// nobody knows. With `enhanced`, a begin or end of the wrong length ends the session (RFC 7313
/// section 5). A request may be longer: filters of RFC 5291, which we never offered, are skipped.
pub fn decode_refresh(
    message: &[u8],
    enhanced: bool,
) -> Result<Option<(Family, Refresh)>, Notification> {
    let mut cursor = Cursor(message.get(HEADER..).unwrap_or(&[]));
    let (Some(afi), Some(subtype), Some(safi)) = (cursor.u16(), cursor.u8(), cursor.u8()) else {
        return Err(Notification::with_data(7, 1, message));
    };
    let refresh = match subtype {
        0 => Refresh::Request,
        1 if enhanced => Refresh::Begin,
        2 if enhanced => Refresh::End,
        _ => return Ok(None),
    };
    if refresh != Refresh::Request && !cursor.is_empty() {
        return Err(Notification::with_data(7, 1, message));
    }
    Ok(Family::from_afi_safi(afi, safi).map(|family| (family, refresh)))
}

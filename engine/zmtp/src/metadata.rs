//! The metadata that both sides exchange in the handshake: socket type, identity, properties.

use crate::error::MetadataFault;
use crate::socket_type::SocketType;

const SOCKET_TYPE: &[u8] = b"Socket-Type";
const IDENTITY: &[u8] = b"Identity";

/// More properties than this are refused: every one costs its receiver two allocations, and
/// nobody sends more than a dozen.
pub(crate) const PROPERTIES_MAX: usize = 256;
/// RFC 28: an identity has at most 255 bytes.
const IDENTITY_MAX: usize = 255;

/// The metadata of one side.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) socket_type: SocketType,
    pub(crate) identity: Vec<u8>,
    /// Ours: those beside Socket-Type and Identity. The peer's: all.
    pub(crate) properties: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Metadata {
    /// Appends our metadata in the order and form of libzmq.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let socket_type = self.socket_type;
        encode_property(out, SOCKET_TYPE, socket_type.wire_name().as_bytes());
        if socket_type.sends_identity() {
            encode_property(out, IDENTITY, &self.identity);
        }
        for (name, value) in &self.properties {
            encode_property(out, name, value);
        }
    }

    /// Reads the metadata of a peer.
    ///
    /// Stricter than libzmq, which accepts metadata without a Socket-Type, empty names and any
    /// identity.
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Metadata, MetadataFault> {
        let mut properties = Vec::new();
        let mut socket_type = None;
        let mut identity = None;
        while !bytes.is_empty() {
            let (name, value);
            (name, value, bytes) = split_property(bytes).ok_or(MetadataFault::Truncated)?;
            if name.is_empty() {
                return Err(MetadataFault::EmptyName);
            }
            if properties.len() == PROPERTIES_MAX {
                return Err(MetadataFault::TooManyProperties);
            }
            // RFC 37: property names are case-insensitive.
            let seen_before = if name.eq_ignore_ascii_case(SOCKET_TYPE) {
                socket_type.replace(parse_socket_type(value)?).is_some()
            } else if name.eq_ignore_ascii_case(IDENTITY) {
                identity.replace(parse_identity(value)?).is_some()
            } else {
                false
            };
            if seen_before {
                return Err(MetadataFault::Duplicate);
            }
            properties.push((name.to_vec(), value.to_vec()));
        }
        Ok(Metadata {
            socket_type: socket_type.ok_or(MetadataFault::SocketTypeMissing)?,
            identity: identity.unwrap_or_default().to_vec(),
            properties,
        })
    }
}

fn parse_socket_type(value: &[u8]) -> Result<SocketType, MetadataFault> {
    SocketType::from_wire(value).ok_or(MetadataFault::SocketTypeUnknown)
}

fn parse_identity(value: &[u8]) -> Result<&[u8], MetadataFault> {
    if value.len() > IDENTITY_MAX {
        return Err(MetadataFault::IdentityTooLong);
    }
    if value.first() == Some(&0) {
        return Err(MetadataFault::IdentityReserved);
    }
    Ok(value)
}

/// Splits `name-length name value-length value` off the front: name, value, rest.
fn split_property(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&name_len, bytes) = bytes.split_first()?;
    let (name, bytes) = bytes.split_at_checked(usize::from(name_len))?;
    let (value_len, bytes) = bytes.split_first_chunk::<4>()?;
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).ok()?;
    let (value, rest) = bytes.split_at_checked(value_len)?;
    Some((name, value, rest))
}

fn encode_property(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(name.len() as u8);
    out.extend_from_slice(name);
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_parsed() {
        let ours = Metadata {
            socket_type: SocketType::Dealer,
            identity: b"me".to_vec(),
            properties: vec![(b"X-Colour".to_vec(), b"blue".to_vec())],
        };
        let mut bytes = Vec::new();
        ours.encode(&mut bytes);
        let theirs = Metadata::parse(&bytes).unwrap();
        assert_eq!(theirs.socket_type, ours.socket_type);
        assert_eq!(theirs.identity, ours.identity);
        assert_eq!(theirs.properties.len(), 3);
        assert_eq!(theirs.properties[2], ours.properties[0]);
        for cut in 1..bytes.len() {
            // Whole properties may be cut away, parts of one may not.
            let cut_parse = Metadata::parse(&bytes[..cut]);
            assert!(cut_parse.is_ok() == [22, 37].contains(&cut), "{cut}");
        }
    }

    #[test]
    fn properties_are_counted() {
        let mut bytes = Vec::new();
        encode_property(&mut bytes, SOCKET_TYPE, b"PULL");
        for _ in 1..PROPERTIES_MAX {
            encode_property(&mut bytes, b"a", b"");
        }
        assert!(Metadata::parse(&bytes).is_ok());
        encode_property(&mut bytes, b"a", b"");
        assert_eq!(Metadata::parse(&bytes), Err(MetadataFault::TooManyProperties));
    }
}

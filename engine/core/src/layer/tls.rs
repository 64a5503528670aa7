//! TLS, by `rustls`.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::{Layer, LayerFault};
use crate::{
    error::{Error, OptionFault},
    options::{Options, number},
};

/// One end of a TLS connection.
struct Tls {
    connection: Connection,
    /// What was to be sent before the handshake was over.
    early: Vec<u8>,
    farewell: Farewell,
}

/// Whether the peer is told of the end, behind everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    Unwanted,
    Wanted,
    Said,
}

/// What a listener needs for TLS.
pub(crate) struct TlsServer(Arc<ServerConfig>);

/// What connecting needs for TLS.
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

fn malformed(number: i32, name: &'static str) -> Error {
    let why = OptionFault::Malformed;
    Error::InvalidOption { number, name, why }
}

fn certificates(pem: &str, number: i32, name: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|_| malformed(number, name))?;
    if found.is_empty() {
        return Err(malformed(number, name));
    }
    Ok(found)
}

impl TlsServer {
    /// Reads the certificate and its key from the options.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] names the one that is missing, is no PEM, or does not fit the other.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let cert = options.wss_cert_pem.as_deref().unwrap_or_default();
        let chain = certificates(cert, number::WSS_CERT_PEM, "WSS_CERT_PEM")?;
        let bad_key = || malformed(number::WSS_KEY_PEM, "WSS_KEY_PEM");
        let key = options.wss_key_pem.as_deref().unwrap_or_default();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| bad_key())?;
        let config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::NotSupported)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|_| bad_key())?;
        Ok(Self(Arc::new(config)))
    }

    /// The layer of a connection that was accepted.
    pub(crate) fn layer(&self) -> Result<Box<dyn Layer>, rustls::Error> {
        Ok(Tls::boxed(ServerConnection::new(self.0.clone())?.into()))
    }
}

impl TlsClient {
    /// Reads from the options whom to trust. The server must prove to be `host`, unless the options name another one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] names the one that is no PEM, or no name.
    pub(crate) fn new(options: &Options, host: &str) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        if options.wss_trust_system {
            // Certificates of the system that cannot be read are trusted by nobody.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if let Some(pem) = &options.wss_trust_pem {
            let name = "WSS_TRUST_PEM";
            for certificate in certificates(pem, number::WSS_TRUST_PEM, name)? {
                let added = roots.add(certificate);
                added.map_err(|_| malformed(number::WSS_TRUST_PEM, name))?;
            }
        }
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::NotSupported)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = options.wss_hostname.as_deref().unwrap_or(host);
        let server = ServerName::try_from(name.to_owned());
        Ok(Self {
            config: Arc::new(config),
            server: server.map_err(|_| malformed(number::WSS_HOSTNAME, "WSS_HOSTNAME"))?,
        })
    }

    /// The layer of a connection that was made.
    pub(crate) fn layer(&self) -> Result<Box<dyn Layer>, rustls::Error> {
        let connection = ClientConnection::new(self.config.clone(), self.server.clone())?;
        Ok(Tls::boxed(connection.into()))
    }
}

impl Tls {
    fn boxed(mut connection: Connection) -> Box<dyn Layer> {
        // We send at once whatever we hand over.
        connection.set_buffer_limit(None);
        Box::new(Self {
            connection,
            early: Vec::new(),
            farewell: Farewell::Unwanted,
        })
    }

    /// Encrypts, once that is possible.
    fn encrypt(&mut self, plain: &[u8]) {
        if self.connection.is_handshaking() {
            self.early.extend_from_slice(plain);
            return;
        }
        for bytes in [&std::mem::take(&mut self.early)[..], plain] {
            // Writing to memory without a limit does not fail.
            let _ = self.connection.writer().write_all(bytes);
        }
    }
}

impl Layer for Tls {
    fn unwrap(&mut self, mut wire: &[u8], plain: &mut Vec<u8>) -> Result<(), LayerFault> {
        while !wire.is_empty() {
            let read = self.connection.read_tls(&mut wire);
            read.map_err(|_| LayerFault::Tls)?;
            let state = self.connection.process_new_packets();
            let state = state.map_err(|_| LayerFault::Tls)?;
            let before = plain.len();
            plain.resize(before + state.plaintext_bytes_to_read(), 0);
            let read = self.connection.reader().read_exact(&mut plain[before..]);
            read.map_err(|_| LayerFault::Tls)?;
            if state.peer_has_closed() {
                return Err(LayerFault::Closed);
            }
        }
        self.encrypt(&[]);
        Ok(())
    }

    fn wrap(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        self.encrypt(plain);
        if self.farewell == Farewell::Wanted {
            self.farewell = Farewell::Said;
            self.connection.send_close_notify();
        }
        while self.connection.wants_write() {
            // Writing to memory does not fail.
            let _ = self.connection.write_tls(wire);
        }
    }

    fn has_output(&self) -> bool {
        self.connection.wants_write() || self.farewell == Farewell::Wanted
    }

    fn finish(&mut self) {
        if self.farewell == Farewell::Unwanted {
            self.farewell = Farewell::Wanted;
        }
    }
}

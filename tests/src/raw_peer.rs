//! A peer that sends exactly the bytes it is told to, and records what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::recipe::{self, COMMAND, LONG};

/// How long a peer waits for bytes that should come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One end of a TCP connection, without any ZMTP of its own.
#[derive(Debug)]
pub struct RawPeer {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The flags byte, LONG included.
    pub flags: u8,
    /// The body.
    pub body: Vec<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side closed it (FIN).
    Closed,
    /// The other side aborted it (RST).
    Reset,
    /// It did not end within the time given.
    StillOpen,
}

impl RawPeer {
    /// Connects to `address`.
    pub fn connect(address: SocketAddr) -> io::Result<RawPeer> {
        RawPeer::from_stream(TcpStream::connect(address)?)
    }

    /// Accepts the next connection of `listener`.
    pub fn accept(listener: &TcpListener) -> io::Result<RawPeer> {
        RawPeer::from_stream(listener.accept()?.0)
    }

    fn from_stream(stream: TcpStream) -> io::Result<RawPeer> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(RawPeer {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends `bytes` as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends nothing more (FIN) but goes on receiving.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Greets as ZMTP 3.`minor` with the NULL mechanism, sends READY, and takes the other side's greeting and
    /// READY, whose frame is returned.
    pub fn handshake(&mut self, minor: u8, socket_type: &str, identity: Option<&[u8]>) -> io::Result<Frame> {
        self.send(&recipe::greeting(minor))?;
        self.read_exact(64)?;
        self.send(&recipe::ready(socket_type, identity))?;
        self.read_frame()
    }

    /// Exactly `count` bytes. Fails with `UnexpectedEof` if the connection ends before.
    pub fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        self.received.extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// The next frame, command or not.
    pub fn read_frame(&mut self) -> io::Result<Frame> {
        let flags = self.read_exact(1)?[0];
        let length_bytes = if flags & LONG != 0 { 8 } else { 1 };
        let length = self
            .read_exact(length_bytes)?
            .iter()
            .fold(0, |length, &byte| length << 8 | u64::from(byte));
        let length = usize::try_from(length).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        Ok(Frame {
            flags,
            body: self.read_exact(length)?,
        })
    }

    /// The next frame that is no command.
    pub fn read_message_frame(&mut self) -> io::Result<Frame> {
        loop {
            let frame = self.read_frame()?;
            if !frame.is_command() {
                return Ok(frame);
            }
        }
    }

    /// Receives until the connection ends, or nothing comes for `limit`.
    pub fn read_to_ending(&mut self, limit: Duration) -> io::Result<Ending> {
        self.stream.set_read_timeout(Some(limit))?;
        let mut buffer = [0; 4096];
        let ending = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break Ending::Closed,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::ConnectionReset => break Ending::Reset,
                    // What a read timeout is called is the platform's choice.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => break Ending::StillOpen,
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        };
        self.stream.set_read_timeout(Some(PATIENCE))?;
        Ok(ending)
    }

    /// Everything received since the beginning.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// The connection, for socket options and such.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Frame {
    /// Whether the frame is a command.
    pub fn is_command(&self) -> bool {
        self.flags & COMMAND != 0
    }

    /// Name and data of a command; `None` for other frames and for malformed ones.
    pub fn command(&self) -> Option<(&[u8], &[u8])> {
        let (&length, rest) = self.body.split_first().filter(|_| self.is_command())?;
        rest.split_at_checked(length.into())
    }
}

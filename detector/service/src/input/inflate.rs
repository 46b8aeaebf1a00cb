//! Plain or gzip, found out from the first two bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// How a gzip stream begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a stream, decompressed if it is gzip (of one or several members).
///
/// A gzip stream that is cut short or damaged gives what is good, and then an error.
pub struct Inflate<R>(Kind<R>);

enum Kind<R> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Whole<R>>>>),
}

/// The first bytes, put back in front of the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

impl<R: Read> Inflate<R> {
    /// Looks at the first two bytes of `source`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(mut source: R) -> io::Result<Self> {
        let mut first = Vec::with_capacity(MAGIC.len());
        source.by_ref().take(2).read_to_end(&mut first)?;
        let is_gzip = first == MAGIC;
        let whole = Cursor::new(first).chain(source);
        Ok(Self(if is_gzip {
            Kind::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, whole))))
        } else {
            Kind::Plain(whole)
        }))
    }

    /// What an error of `read` means for the user.
    #[must_use]
    pub fn explain(&self, error: &io::Error) -> String {
        match (&self.0, error.kind()) {
            (Kind::Gzip(_), io::ErrorKind::UnexpectedEof) => {
                "the gzip data is cut short; what came before was read".to_owned()
            }
            (Kind::Gzip(_), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
                format!("the gzip data is damaged ({error}); what came before was read")
            }
            _ => format!("cannot read on: {error}"),
        }
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(source) => source.read(buffer),
            Kind::Gzip(source) => source.read(buffer),
        }
    }
}

impl<R> std::fmt::Debug for Inflate<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.0 {
            Kind::Plain(_) => "plain",
            Kind::Gzip(_) => "gzip",
        };
        formatter.debug_tuple("Inflate").field(&kind).finish()
    }
}

//! Reads JSON that holds records: strings are found by their ends and base64 is decoded where it lies.
//!
//! Only structures, lists, strings and blobs are read here. Single values of any other kind, and strings with escapes,
//! are left to the SDK's reader one by one, so that they mean what they always meant. Maps and documents are not read;
//! no answer with records has any.

use std::sync::Arc;

use aws_smithy_json::codec::{JsonCodec, JsonDeserializer};
use aws_smithy_schema::{
    Schema,
    codec::Codec as _,
    serde::{SerdeError, ShapeDeserializer},
};
use aws_smithy_types::{BigDecimal, BigInteger, Blob, DateTime, Document};
use memchr::memchr2;

use super::has_records;

/// What takes the members of a structure.
type Members<'c> = dyn FnMut(&Schema<'_>, &mut dyn ShapeDeserializer) -> Result<(), SerdeError> + 'c;
/// What takes the elements of a list.
type Elements<'c> = dyn FnMut(&mut dyn ShapeDeserializer) -> Result<(), SerdeError> + 'c;

/// A reader of one answer.
pub(super) struct RecordsJson<'a> {
    input: &'a [u8],
    position: usize,
    /// Whether the outermost structure was entered.
    is_inside: bool,
    codec: Arc<JsonCodec>,
    /// The SDK's reader of the same answer, at its beginning.
    sdk: Box<dyn ShapeDeserializer + 'a>,
}

impl<'a> RecordsJson<'a> {
    /// For an answer, which `sdk` will read if this cannot.
    pub(super) fn new(input: &'a [u8], codec: Arc<JsonCodec>, sdk: Box<dyn ShapeDeserializer + 'a>) -> Self {
        Self { input, position: 0, is_inside: false, codec, sdk }
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    const fn skip(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes);
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        while self.rest().first().is_some_and(is_space) {
            self.skip(1);
        }
        self.rest().first().copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), SerdeError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.skip(1);
        Ok(())
    }

    fn unexpected(&self) -> SerdeError {
        SerdeError::invalid_input(format!("not expected at byte {}", self.position))
    }

    /// The bytes of a string; `None`, with nothing read, if they are not what they stand for.
    fn plain(&mut self) -> Result<Option<&'a [u8]>, SerdeError> {
        let quoted = if self.peek() == Some(b'"') { self.rest().get(1..) } else { None };
        let quoted = quoted.ok_or_else(|| self.unexpected())?;
        let (plain, end) = memchr2(b'"', b'\\', quoted).and_then(|at| quoted.split_at_checked(at)).unwrap_or_default();
        match end.first() {
            Some(b'"') => {
                self.skip(plain.len().saturating_add(2));
                Ok(Some(plain))
            }
            Some(_) => Ok(None),
            None => Err(self.unexpected()),
        }
    }

    /// One value that is neither structure nor list, as the SDK reads it.
    fn by_sdk<T>(
        &mut self,
        read: impl FnOnce(&mut JsonDeserializer<'a>) -> Result<T, SerdeError>,
    ) -> Result<T, SerdeError> {
        let mut sdk = self.codec.create_deserializer(self.rest());
        let value = read(&mut sdk)?;
        self.skip(sdk.position());
        Ok(value)
    }

    /// Whether another element follows, which is then next; else the end has been read.
    fn another(&mut self, is_first: bool, end: u8) -> Result<bool, SerdeError> {
        if self.peek() == Some(end) {
            self.skip(1);
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    fn members(&mut self, schema: &Schema<'_>, take: &mut Members<'_>) -> Result<(), SerdeError> {
        self.expect(b'{')?;
        let mut is_first = true;
        while self.another(is_first, b'}')? {
            is_first = false;
            let name = self.plain()?.ok_or_else(|| self.unexpected())?;
            let member = std::str::from_utf8(name).ok().and_then(|name| schema.member_schema(name));
            self.expect(b':')?;
            self.peek();
            match member {
                _ if self.is_null() => self.read_null()?,
                Some(member) => take(member, self)?,
                // What a later version of Kinesis adds.
                None => self.skip_value()?,
            }
        }
        Ok(())
    }

    fn whole(&mut self, schema: &Schema<'_>, take: &mut Members<'_>) -> Result<(), SerdeError> {
        self.is_inside = true;
        self.members(schema, take)?;
        if self.peek().is_some() { Err(self.unexpected()) } else { Ok(()) }
    }
}

impl ShapeDeserializer for RecordsJson<'_> {
    fn read_struct(&mut self, schema: &Schema<'_>, take: &mut Members<'_>) -> Result<(), SerdeError> {
        if self.is_inside {
            return self.members(schema, take);
        }
        if !has_records(schema) {
            return self.sdk.read_struct(schema, take);
        }
        self.whole(schema, take).or_else(|error| {
            tracing::debug!(%error, "the SDK reads the records");
            // Members that were taken are taken again, and replaced.
            self.sdk.read_struct(schema, take)
        })
    }

    fn read_list(&mut self, _: &Schema<'_>, take: &mut Elements<'_>) -> Result<(), SerdeError> {
        self.expect(b'[')?;
        let mut is_first = true;
        while self.another(is_first, b']')? {
            is_first = false;
            take(self)?;
        }
        Ok(())
    }

    fn read_string(&mut self, schema: &Schema<'_>) -> Result<String, SerdeError> {
        match self.plain()? {
            Some(plain) => {
                let text = std::str::from_utf8(plain).map_err(|error| SerdeError::invalid_input(error.to_string()))?;
                Ok(text.to_owned())
            }
            None => self.by_sdk(|sdk| sdk.read_string(schema)),
        }
    }

    fn read_blob(&mut self, schema: &Schema<'_>) -> Result<Blob, SerdeError> {
        match self.plain()? {
            Some(plain) => {
                let bytes = base64_simd::STANDARD.decode_to_vec(plain);
                Ok(Blob::new(bytes.map_err(|error| SerdeError::invalid_input(error.to_string()))?))
            }
            None => self.by_sdk(|sdk| sdk.read_blob(schema)),
        }
    }

    fn is_null(&self) -> bool {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric();
        self.rest().strip_prefix(b"null").is_some_and(|after| !after.first().is_some_and(is_name))
    }

    fn read_null(&mut self) -> Result<(), SerdeError> {
        if self.is_null() {
            self.skip(b"null".len());
        }
        Ok(())
    }

    fn skip_value(&mut self) -> Result<(), SerdeError> {
        self.by_sdk(ShapeDeserializer::skip_value)
    }

    fn container_size(&self) -> Option<usize> {
        None
    }

    fn read_map(
        &mut self,
        _: &Schema<'_>,
        _: &mut dyn FnMut(String, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        Err(SerdeError::unsupported("a map"))
    }

    fn read_document(&mut self, _: &Schema<'_>) -> Result<Document, SerdeError> {
        Err(SerdeError::unsupported("a document"))
    }

    fn read_boolean(&mut self, schema: &Schema<'_>) -> Result<bool, SerdeError> {
        self.by_sdk(|sdk| sdk.read_boolean(schema))
    }

    fn read_byte(&mut self, schema: &Schema<'_>) -> Result<i8, SerdeError> {
        self.by_sdk(|sdk| sdk.read_byte(schema))
    }

    fn read_short(&mut self, schema: &Schema<'_>) -> Result<i16, SerdeError> {
        self.by_sdk(|sdk| sdk.read_short(schema))
    }

    fn read_integer(&mut self, schema: &Schema<'_>) -> Result<i32, SerdeError> {
        self.by_sdk(|sdk| sdk.read_integer(schema))
    }

    fn read_long(&mut self, schema: &Schema<'_>) -> Result<i64, SerdeError> {
        self.by_sdk(|sdk| sdk.read_long(schema))
    }

    fn read_float(&mut self, schema: &Schema<'_>) -> Result<f32, SerdeError> {
        self.by_sdk(|sdk| sdk.read_float(schema))
    }

    fn read_double(&mut self, schema: &Schema<'_>) -> Result<f64, SerdeError> {
        self.by_sdk(|sdk| sdk.read_double(schema))
    }

    fn read_big_integer(&mut self, schema: &Schema<'_>) -> Result<BigInteger, SerdeError> {
        self.by_sdk(|sdk| sdk.read_big_integer(schema))
    }

    fn read_big_decimal(&mut self, schema: &Schema<'_>) -> Result<BigDecimal, SerdeError> {
        self.by_sdk(|sdk| sdk.read_big_decimal(schema))
    }

    fn read_timestamp(&mut self, schema: &Schema<'_>) -> Result<DateTime, SerdeError> {
        self.by_sdk(|sdk| sdk.read_timestamp(schema))
    }
}

//! The codec that the generated services use: prost, with buffers that fit a session.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// tonic keeps a buffer each way for every stream as long as it lives, 8 KiB each by default: of a session at rest that was a
/// third. Heartbeats and reports have some hundred bytes; what is larger grows the buffer.
const BUFFER: usize = 1024;
/// tonic's own: so much is gathered before it is handed to HTTP/2.
const YIELD: usize = 32 * 1024;

/// [`ProstCodec`] with small buffers.
#[derive(Clone, Debug)]
pub struct SessionCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SessionCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for SessionCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER, YIELD))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER, YIELD))
    }
}

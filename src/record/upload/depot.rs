//! The store itself: objects in, objects out, under one prefix. The only home of the object_store
//! crate. Retries nothing for long and remembers nothing: that is for whoever asks.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, RetryConfig,
};

use crate::backoff::Backoff;
use crate::config::{Archive as Section, StoreUrl};
use crate::limits::{
    STORE_CONNECT_MAX, STORE_QUIET_MAX, STORE_RETRY_FIRST, STORE_RETRY_MOST, STORE_TOLD_CHARS_MAX,
};
use crate::record::store::Id;

/// When a store that failed is asked again.
pub const BACKOFF: Backoff = Backoff { first: STORE_RETRY_FIRST, most: STORE_RETRY_MOST };

/// The store did not do what it was asked; it may the next time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store: {0}")]
pub struct StoreFault(String);

/// See the module's words.
pub struct Depot {
    store: AmazonS3,
    /// As configured.
    url: String,
    prefix: String,
}

/// What the store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub bytes: u64,
    /// What we gave it when we put it there; `None` for somebody else's.
    pub sha256: Option<String>,
}

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Path);

pub type Pieces = BoxStream<'static, Result<Bytes, StoreFault>>;

impl Depot {
    /// `None` where none is configured.
    ///
    /// # Errors
    /// What is configured makes no client, as without any root certificates on this machine.
    pub fn open(section: &Section) -> Result<Option<Depot>, StoreFault> {
        let StoreUrl::S3 { bucket, prefix } = &section.url else { return Ok(None) };
        let is_http = section.endpoint.starts_with("http://");
        let options = ClientOptions::new()
            .with_allow_http(is_http)
            .with_http1_only()
            .with_connect_timeout(STORE_CONNECT_MAX)
            .with_read_timeout(STORE_QUIET_MAX)
            // A bound for a whole answer would cut large files off.
            .with_timeout_disabled();
        // One more try at once, for downloads too; the pace of all others is the uploader's.
        let retry =
            RetryConfig { max_retries: 1, retry_timeout: BACKOFF.first, ..Default::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&section.region)
            .with_checksum_algorithm(Checksum::SHA256)
            // Not every store can delete several at once.
            .with_disable_bulk_delete(true)
            .with_client_options(options)
            .with_retry(retry);
        if !section.endpoint.is_empty() {
            builder = builder.with_endpoint(&section.endpoint);
        }
        if !section.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&section.access_key_id)
                .with_secret_access_key(&section.secret_access_key);
        }
        let store = builder.build()?;
        Ok(Some(Depot { store, url: section.url.to_string(), prefix: prefix.clone() }))
    }

    /// Which store it is, as configured.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lists the beginning of what lies under our prefix: the store is there, so is the bucket, and
    /// the key may.
    pub async fn lists(&self) -> Result<(), StoreFault> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        self.store.list(prefix.as_ref()).next().await.transpose()?;
        Ok(())
    }

    /// Where a file of a recording lies.
    pub fn place(&self, id: &Id, name: &str) -> Place {
        // A prefix that is empty leaves no slash in front.
        Place(Path::from([self.prefix.as_str(), id.as_str(), name].join("/")))
    }

    /// What lies there, if anything does.
    pub async fn head(&self, place: &Place) -> Result<Option<Found>, StoreFault> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.store.get_opts(&place.0, options).await {
            Ok(found) => {
                let sha256 = found.attributes.get(&SHA256).map(|value| value.to_string());
                Ok(Some(Found { bytes: found.meta.size, sha256 }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// An object at once; the store checks what comes against its SHA-256.
    pub async fn put(&self, place: &Place, content: Bytes, sha256: &str) -> Result<(), StoreFault> {
        let options = PutOptions { attributes: with_sha256(sha256), ..PutOptions::default() };
        self.store.put_opts(&place.0, content.into(), options).await?;
        Ok(())
    }

    /// Begins an object that comes in parts; the store's id for it.
    pub async fn begin(&self, place: &Place, sha256: &str) -> Result<String, StoreFault> {
        let attributes = with_sha256(sha256);
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        Ok(self.store.create_multipart_opts(&place.0, options).await?)
    }

    /// Part `number`, from 0; what the store calls it. `None` where it forgot the whole upload.
    pub async fn put_part(
        &self,
        place: &Place,
        upload: &str,
        number: usize,
        content: Bytes,
    ) -> Result<Option<String>, StoreFault> {
        let upload = upload.to_owned();
        let put = self.store.put_part(&place.0, &upload, number, content.into()).await;
        known(put.map(|part| part.content_id))
    }

    /// Makes an object of all parts. `None` where the store forgot the upload.
    pub async fn complete(
        &self,
        place: &Place,
        upload: &str,
        parts: &[String],
    ) -> Result<Option<()>, StoreFault> {
        let parts = parts.iter().map(|part| PartId { content_id: part.clone() }).collect();
        let upload = upload.to_owned();
        let completed = self.store.complete_multipart(&place.0, &upload, parts).await;
        known(completed.map(|_| ()))
    }

    /// Gives up an upload; one that the store forgot is no fault.
    pub async fn abort(&self, place: &Place, upload: &str) -> Result<(), StoreFault> {
        let upload = upload.to_owned();
        known(self.store.abort_multipart(&place.0, &upload).await).map(drop)
    }

    /// What lies there, or a range of it, which is not empty.
    pub async fn read(
        &self,
        place: &Place,
        range: Option<Range<u64>>,
    ) -> Result<Pieces, StoreFault> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let found = self.store.get_opts(&place.0, options).await?;
        Ok(found.into_stream().map(|piece| piece.map_err(StoreFault::from)).boxed())
    }

    /// Takes an object away; one that is not there is no fault.
    pub async fn delete(&self, place: &Place) -> Result<(), StoreFault> {
        known(self.store.delete(&place.0).await).map(drop)
    }
}

impl fmt::Debug for Depot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Depot").field(&self.url).finish()
    }
}

impl From<object_store::Error> for StoreFault {
    fn from(fault: object_store::Error) -> StoreFault {
        // Some stores answer with pages; a line of the log is one line. Where the store is the
        // configuration says: no address stands in a log.
        let text = without_hosts(&fault.to_string());
        let line = text.chars().map(|it| if it.is_control() { ' ' } else { it });
        StoreFault(line.take(STORE_TOLD_CHARS_MAX).collect())
    }
}

fn without_hosts(text: &str) -> String {
    let mut parts = text.split("://");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let path = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        told = told + "://.." + &part[path..];
    }
    told
}

/// `None` for what the store does not know.
fn known<T>(answer: object_store::Result<T>) -> Result<Option<T>, StoreFault> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn with_sha256(sha256: &str) -> Attributes {
    Attributes::from_iter([(SHA256, sha256.to_owned())])
}

/// What we put beside each object: its content's, 64 hexadecimal digits.
const SHA256: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("sha256"));

#[cfg(test)]
mod tests {
    use super::without_hosts;

    #[test]
    fn a_fault_names_the_file_and_no_host() {
        let told = without_hosts("PUT http://127.0.0.1:9000/calls/mix.opus - https://a.example x");
        assert_eq!(told, "PUT http://../calls/mix.opus - https://.. x");
        assert_eq!(without_hosts("no room"), "no room");
    }
}

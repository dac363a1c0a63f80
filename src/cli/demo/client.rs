//! The API of this very process, called as any other client would call it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::cli::exit::Failure;
use crate::outbound::{Label, Outbound, Request, secret_header};

/// How long an answer may take; the machine may be busy building something else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the API.
#[derive(Debug)]
pub(super) struct Client {
    outbound: Outbound,
    base: Url,
    authorization: HeaderValue,
}

/// The part of an answer that says which thing it is.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Items<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Client {
    /// A client of the API under `base`, which ends in a slash.
    pub(super) fn new(
        outbound: Outbound,
        base: Url,
        token: &SecretString,
    ) -> Result<Self, Failure> {
        let authorization = secret_header(&format!("Bearer {}", token.expose_secret()))
            .ok_or_else(|| Failure::because("the token cannot stand in a header"))?;
        Ok(Self { outbound, base, authorization })
    }

    /// One thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// All of a list, page by page. The path has a query already.
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut page: Items<T> = self.get(path).await?;
        let mut all = page.items;
        while let Some(cursor) = page.next_cursor {
            page = self.get(&format!("{path}&cursor={cursor}")).await?;
            all.append(&mut page.items);
        }
        Ok(all)
    }

    /// Makes something.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        let body = Bytes::from(body.to_string());
        self.call(Method::POST, path, Some("application/json"), body).await
    }

    /// Hands a file in.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        mime: &'static str,
        file: Vec<u8>,
    ) -> Result<T, Failure> {
        self.call(Method::POST, "media", Some(mime), Bytes::from(file)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content: Option<&'static str>,
        body: Bytes,
    ) -> Result<T, Failure> {
        let url = self
            .base
            .join(path)
            .map_err(|error| Failure::failed("an address of the API", error))?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        if let Some(content) = content {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        }
        if method == Method::POST {
            let key = format!("demo-{:032x}", rand::random::<u128>());
            let key = HeaderValue::try_from(key)
                .map_err(|error| Failure::failed("an idempotency key", error))?;
            headers.insert(HeaderName::from_static("idempotency-key"), key);
        }
        let label = Label { destination: "demo", kind: "api" };
        let what = format!("{method} {path}");
        let request =
            Request { method, url, headers, body, timeout: PATIENCE, max_answer: 8 << 20, label };
        let answer =
            self.outbound.send(request).await.map_err(|error| Failure::failed(&what, error))?;
        if !answer.status.is_success() {
            return Err(refused(&what, answer.status, &answer.body));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Failure::failed(&what, error))
    }
}

fn refused(what: &str, status: StatusCode, body: &[u8]) -> Failure {
    let told = String::from_utf8_lossy(body);
    Failure::because(format!("{what} was answered with {status}: {told}"))
}

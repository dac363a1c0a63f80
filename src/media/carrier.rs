//! Carries the requests of `object_store` over our own HTTP client, so that what holds for every request
//! that leaves holds for these: checked addresses, no redirect, no repetition, one deadline, capped
//! answers.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use url::Url;

use super::trouble::Refused;
use crate::outbound::{Label, Outbound, Request};

/// The client, with the bounds of one request.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub(super) outbound: Outbound,
    pub(super) timeout: Duration,
    pub(super) max_answer: usize,
}

impl HttpConnector for Carrier {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Carrier {
    /// A refusal is an error here: what it says is read by us, and not guessed from its status.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        // Of this kind nothing is tried again by the library.
        let failed = HttpErrorKind::Unknown;
        let url = Url::parse(&head.uri.to_string());
        let request = Request {
            url: url.map_err(|error| HttpError::new(failed, error))?,
            method: head.method,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
            timeout: self.timeout,
            max_answer: self.max_answer,
            label: Label { destination: "s3", kind: "media" },
        };
        let answer = self.outbound.send(request).await;
        let answer = answer.map_err(|failure| HttpError::new(failed, failure))?;
        if !answer.status.is_success() {
            let refused = Refused::new(answer.status.as_u16(), &answer.body);
            return Err(HttpError::new(failed, refused));
        }
        let mut response = HttpResponse::new(HttpResponseBody::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

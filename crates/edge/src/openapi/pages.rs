//! What is served of the description: `GET /openapi.json`, and `GET /docs`, a page that shows it.
//!
//! The page's files stand in `assets/docs/`. They load nothing from elsewhere, and the policy that goes with them has the
//! browser refuse it too.

use std::future::ready;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;

use super::document;
use crate::http::{GatewayError, error::Refusal};

/// Where the document is served.
const DOCUMENT_PATH: &str = "/openapi.json";

/// The page's files: path, media type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/docs", "text/html; charset=utf-8", include_str!("../../assets/docs/index.html")),
    ("/docs/docs.css", "text/css; charset=utf-8", include_str!("../../assets/docs/docs.css")),
    ("/docs/docs.js", "text/javascript; charset=utf-8", include_str!("../../assets/docs/docs.js")),
];

/// Scripts, styles and requests of this origin alone, and no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The routes of the description, to stand beside the gateway.
///
/// # Errors
/// The descriptor set or an annotation is broken; the error names the RPC.
pub fn router(descriptor_set: &[u8]) -> Result<Router, GatewayError> {
    let document: Bytes = document(descriptor_set)?.into();
    let router = serve(Router::new(), DOCUMENT_PATH, "application/json", document);
    Ok(FILES.iter().fold(router, |router, (path, media_type, content)| {
        serve(router, path, media_type, Bytes::from_static(content.as_bytes()))
    }))
}

fn serve(router: Router, path: &str, media_type: &'static str, content: Bytes) -> Router {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let answer = move || ready((headers, content.clone()));
    router.route(path, get(answer).fallback(|| ready(Refusal::method_not_allowed("GET, HEAD"))))
}

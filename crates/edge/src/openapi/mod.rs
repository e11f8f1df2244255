//! The API's description for tools and people, made from the descriptors: an OpenAPI 3.1 document and a page.
//!
//! | module | what it holds |
//! |---|---|
//! | `model` | the document's parts |
//! | `comments` | what the protos say about their parts |
//! | `schema` | messages as JSON Schemas |
//! | `operation` | an RPC as an operation |
//! | `errors` | the error table, and the answers that come of it |
//! | `pages` | what is served: `/openapi.json` and `/docs` |
//!
//! Nothing of it is written by hand: a new RPC, field or reason is in it by being in its proto or in core's table.

mod comments;
mod errors;
mod model;
mod operation;
mod pages;
mod schema;

pub use self::{
    errors::{ErrorRow, errors},
    pages::router,
};

use self::{
    model::{Components, Described, Document, Info, License, Ordered},
    schema::Schemas,
};
use crate::http::{
    GatewayError,
    route::{self, Route},
};

/// What a reader is told first.
const INTRODUCTION: &str = include_str!("../../assets/docs/introduction.md");

/// The OpenAPI document of all RPCs in an encoded `google.protobuf.FileDescriptorSet`, as JSON.
///
/// # Errors
/// The descriptor set or an annotation is broken; the error names the RPC.
pub fn document(descriptor_set: &[u8]) -> Result<String, GatewayError> {
    let routes = route::read_all(descriptor_set)?;
    Ok(serde_json::to_string(&describe(&routes))?)
}

fn describe(routes: &[Route]) -> Document {
    let mut schemas = Schemas::default();
    // Answers first: what they hold keeps its name.
    for route in routes {
        schemas.message(&route.output, schema::Place::Answer);
    }
    schemas.answers = schemas.by_name.0.iter().map(|(name, _)| name.clone()).collect();
    let responses = errors::responses();
    let (mut tags, mut paths) = (Vec::<Described>::new(), Ordered::<Ordered<_>>::default());
    for route in routes {
        let service = route.rpc.parent_service();
        let name = Some(service.full_name().to_owned());
        if tags.iter().all(|tag| tag.name != name) {
            let description = comments::of(&service.parent_file(), service.path());
            tags.push(Described { name, description, ..Described::default() });
        }
        let method = route.http_method.as_str().to_ascii_lowercase();
        *paths.entry(&route.path_template()).entry(&method) = operation::operation(route, &mut schemas, &responses);
    }
    schemas.by_name.0.extend(errors::schemas().0);
    Document {
        openapi: "3.1.1",
        info: Info {
            title: "boltgram",
            version: env!("CARGO_PKG_VERSION"),
            description: INTRODUCTION,
            license: License { name: "MIT or Apache-2.0", identifier: "MIT OR Apache-2.0" },
        },
        servers: vec![Described {
            url: Some("/"),
            description: "The node that serves this document.".into(),
            ..Described::default()
        }],
        tags,
        paths,
        components: Components {
            schemas: schemas.by_name,
            responses,
            parameters: Ordered(vec![(operation::TIMEOUT.into(), errors::timeout_parameter())]),
        },
    }
}

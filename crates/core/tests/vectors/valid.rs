//! The vectors that keep all rules.

mod contents;
mod encodings;
mod headers;
mod parts;
mod protobuf;

use boltgram_core::frame::Content;

use crate::{
    file::Vector,
    wire::{ROAD, USUAL_MSAT, id, vector, whole},
};

pub fn vectors() -> Vec<Vector> {
    [contents::vectors(), headers::vectors(), protobuf::vectors(), parts::vectors(), encodings::vectors()]
        .concat()
        .into_iter()
        .map(|vector| Vector { canonical: Some(vector.canonical.unwrap_or(false)), ..vector })
        .collect()
}

fn canonical(vector: Vector) -> Vector {
    Vector { canonical: Some(true), ..vector }
}

/// One whole message in one payment, as an encoder writes it.
fn lone(name: &str, about: &str, content: &Content) -> Vector {
    let payments = vec![ROAD.pays(vec![whole(id(0), content)], USUAL_MSAT)];
    canonical(vector(name, about, payments, vec![ROAD.message(id(0), content, USUAL_MSAT)]))
}

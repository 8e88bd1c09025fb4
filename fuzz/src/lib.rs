//! What fuzz targets have in common: two agents and a lossy, lying network between them.

mod forge;
mod meeting;
mod servers;

pub use meeting::Meeting;

//! What is read, and what is refused. The fuzz targets compare each reader with a second implementation.

mod api_key;
mod cookie;
mod delivery;
mod lists;
mod texts;

//! Devices as they would behave: a second reading of every protocol that Sluss speaks.
//!
//! Depends on nothing of Sluss but the published API in `proto/`.

mod pb;

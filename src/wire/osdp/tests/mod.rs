//! The bus against readers made up here, in made-up time, with faults made up as well.

mod model;

mod line;

mod opening;

mod status;

mod faults;

mod hostile;

mod any_bytes;

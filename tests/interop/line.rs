//! How a simulated controller reaches a test's server.

use std::fs;

use anyhow::Context as _;
use sluss_sim::ControllerSettings;

use super::house::{House, Papers};

impl Papers {
    /// The text of one of the files.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.folder().join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }
}

/// The settings of a controller with these papers.
pub(crate) fn settings(house: &House, papers: &Papers) -> anyhow::Result<ControllerSettings> {
    Ok(ControllerSettings {
        endpoint: format!("https://{}", house.address()),
        server_name: house.address().ip().to_string(),
        ca_pem: papers.read("ca.pem")?,
        certificate_pem: papers.read("cert.pem")?,
        key_pem: papers.read("key.pem")?,
    })
}

//! How a simulated controller reaches a test's server.

use sluss_sim::ControllerSettings;

use super::house::{House, Papers};

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

//! Renews the certificate when half of its life is over.

use super::Tenure;
use crate::link::told;
use crate::retry::even;
use groundswell_proto::v1;
use groundswell_proto::v1::session_service_client::SessionServiceClient;
use std::time::Duration;

/// A certificate lives for weeks; with a try each half hour a lost answer does not matter.
const LOOK: Duration = Duration::from_secs(30 * 60);

pub(crate) async fn run(tenure: &Tenure) -> anyhow::Result<()> {
    loop {
        let identity = tenure.identity.borrow().clone();
        if identity.is_half_over()
            && let Err(error) = renew(tenure).await
        {
            tracing::warn!("the certificate is not renewed yet: {error:#}");
        }
        // Spread, so that clusters that were enrolled together do not come back together.
        tokio::time::sleep(LOOK / 2 + even(LOOK)).await;
    }
}

async fn renew(tenure: &Tenure) -> anyhow::Result<()> {
    let mut identity = tenure.identity.borrow().clone();
    let Some(channel) = tenure.board.channel() else { anyhow::bail!("there is no session") };
    let request = v1::RenewRequest { csr_der: identity.request()? };
    let answer = SessionServiceClient::new(channel).renew(request).await.map_err(|status| anyhow::anyhow!(told(&status)))?.into_inner();
    identity.renew(&tenure.secrets, answer.certificate_chain_pem, answer.root_pem).await?;
    tenure.identity.send_replace(identity);
    tracing::info!("the certificate was renewed; the next session uses it");
    Ok(())
}

//! A customer's feed as its owner reads it over mutual TLS.

use anyhow::ensure;
use sluss::pb::v1::feed_service_client::FeedServiceClient;
use sluss::pb::v1::{ListFeedLeavesRequest, ListFeedLeavesResponse};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::books::Books;
use super::house::{House, Papers};

/// Leaves in a page.
const PAGE: i32 = 500;
/// Looks at a feed until a checkpoint covers it; the server signs at most once a second.
const LOOKS_MAX: u32 = 20_000;

/// What was read of one feed.
#[derive(Debug)]
pub(crate) struct Feed {
    parent: String,
    client: FeedServiceClient<Channel>,
    /// What it said.
    pub(crate) books: Books,
    /// Roots that were the signed ones.
    pub(crate) roots: u64,
}

impl Feed {
    /// Connects with its first call.
    pub(crate) fn new(customer: &str, house: &House, papers: &Papers) -> anyhow::Result<Self> {
        let identity = Identity::from_pem(papers.read("cert.pem")?, papers.read("key.pem")?);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(papers.read("ca.pem")?))
            .identity(identity);
        let endpoint = Endpoint::from_shared(format!("https://{}", house.address()))?;
        let channel = endpoint.tls_config(tls)?.connect_lazy();
        Ok(Self {
            parent: format!("customers/{customer}"),
            client: FeedServiceClient::new(channel).max_decoding_message_size(4 << 20),
            books: Books::default(),
            roots: 0,
        })
    }

    /// Reads what is new; `with_root` also holds the root of all leaves against the signed one.
    pub(crate) async fn read_on(&mut self, with_root: bool) -> anyhow::Result<()> {
        loop {
            let page = self.page(self.books.leaf_count()).await?;
            ensure!(
                page.total_size >= self.books.leaf_count(),
                "{}: {} leaves were read and {} are left",
                self.parent,
                self.books.leaf_count(),
                page.total_size
            );
            for leaf in &page.leaves {
                self.books.take(leaf)?;
            }
            if page.total_size <= self.books.leaf_count() || page.leaves.is_empty() {
                break;
            }
        }
        if with_root {
            self.compare_root().await?;
        }
        Ok(())
    }

    /// Reads everything from the beginning and counts what is not as it was.
    pub(crate) async fn read_again(&mut self) -> anyhow::Result<()> {
        let mut from = 0;
        while from < self.books.leaf_count() {
            let page = self.page(from).await?;
            ensure!(!page.leaves.is_empty(), "{}: ends at {from}", self.parent);
            for leaf in page.leaves {
                self.books.compare(from, &leaf)?;
                from += 1;
            }
        }
        Ok(())
    }

    async fn page(&mut self, from_index: u64) -> anyhow::Result<ListFeedLeavesResponse> {
        let request = ListFeedLeavesRequest {
            parent: self.parent.clone(),
            page_size: PAGE,
            page_token: String::new(),
            from_index,
        };
        // Right after a start the line may still be the old one.
        let first = self.client.list_feed_leaves(request.clone()).await;
        let page = match first {
            Ok(page) => page,
            Err(_) => self.client.list_feed_leaves(request).await?,
        };
        Ok(page.into_inner())
    }

    async fn compare_root(&mut self) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            let page = self.page(self.books.leaf_count().saturating_sub(1)).await?;
            let Some(checkpoint) = page.checkpoint else {
                continue;
            };
            if checkpoint.tree_size < self.books.leaf_count() {
                continue;
            }
            ensure!(
                checkpoint.tree_size == self.books.leaf_count(),
                "{}: the checkpoint is ahead of the feed",
                self.parent
            );
            ensure!(
                checkpoint.root_hash == self.books.root(),
                "{}: the root of {} leaves is another one",
                self.parent,
                checkpoint.tree_size
            );
            self.roots += 1;
            return Ok(());
        }
        anyhow::bail!("{}: no checkpoint covers the feed", self.parent)
    }
}

//! `partner`: who takes part in an exchange.

use std::path::Path;

use hub::Admin;

use crate::{
    cli::{Partner, Role},
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn run(args: Partner, json: bool) -> Result<Outcome, Failure> {
    match args {
        Partner::Invite {
            name,
            data,
            role,
            hub,
            token,
        } => {
            let admin = open(&data).await?;
            let text = if token {
                admin.token(&name, role.word()).await
            } else {
                admin.invite(&name, role.word(), hub.as_deref()).await
            };
            say(text.map_err(|e| Failure::input(format!("invite {name}"), e))?);
        }
        Partner::Enrol {
            invitation,
            identity,
        } => enrol(&invitation, &identity).await?,
        Partner::List { data } => list(&open(&data).await?, json).await?,
        Partner::Rotate { peer } => {
            shield::identity::rotate(&peer.identity)
                .await
                .map_err(|e| Failure::input("rotate the certificate", e))?;
            say(format_args!(
                "new key and certificate in {}",
                peer.identity.display()
            ));
        }
        Partner::Revoke { name, data } => {
            let admin = open(&data).await?;
            let revoked = admin.revoke(&name).await;
            if !revoked.map_err(|e| Failure::system(format!("revoke {name}"), e))? {
                return Err(Failure::Input(anyhow::anyhow!(
                    "{name}: no such partner to revoke"
                )));
            }
            say(format_args!(
                "{name} is out: its certificates and tokens no longer work"
            ));
        }
    }
    Ok(Outcome::Done)
}

async fn enrol(invitation: &str, identity: &Path) -> Result<(), Failure> {
    let invitation = invitation
        .parse()
        .map_err(|e| Failure::input("INVITATION", e))?;
    let enrolled = shield::identity::enrol(&invitation, identity)
        .await
        .map_err(|e| Failure::input("enrol", e))?;
    let (partner, folder) = (&enrolled.partner, identity.display());
    say(format_args!(
        "enrolled as {partner}; key and certificate in {folder}"
    ));
    Ok(())
}

async fn list(admin: &Admin, json: bool) -> Result<(), Failure> {
    let partners = admin
        .partners()
        .await
        .map_err(|e| Failure::system("read the store", e))?;
    for partner in partners {
        if json {
            let line = serde_json::json!({
                "name": &*partner.name, "role": partner.role, "revoked": partner.revoked.is_some(),
            });
            say(line);
        } else {
            let state = if partner.revoked.is_some() {
                "revoked"
            } else {
                "enrolled"
            };
            say(format_args!(
                "{:<24} {:<12} {state}",
                partner.name, partner.role
            ));
        }
    }
    Ok(())
}

async fn open(data: &Path) -> Result<Admin, Failure> {
    Admin::open(data)
        .await
        .map_err(|e| Failure::input(format!("open the hub's data in {}", data.display()), e))
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::AiCompany => "ai-company",
            Self::Operator => "operator",
        }
    }
}

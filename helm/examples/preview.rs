//! Times a preview: `preview HELM OLD NEW KUBE_VERSION [VALUES…]`, charts as folders. Prints our time beside helm's own; with
//! values, the classing of their keys too, the second time from what the first one kept.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use groundswell_helm::pack::pack;
use groundswell_helm::preview::{Preview, PreviewOptions, PreviewTarget};
use groundswell_helm::runner::{Cluster, Control, Helm, ReleaseName};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [binary, old, new, kube_version, values @ ..] = args.as_slice() else {
        return Err("usage: preview HELM OLD NEW KUBE_VERSION [VALUES…]".into());
    };
    let mut out = std::io::stdout();
    let (old, new) = (pack(Path::new(old))?, pack(Path::new(new))?);
    let documents = values.iter().map(|path| Ok((path.clone(), std::fs::read_to_string(path)?))).collect::<std::io::Result<Vec<_>>>()?;
    let home = tempfile::tempdir()?;
    let helm = Helm { binary: PathBuf::from(binary), stub: None, home: home.path().join("helm"), cluster: Cluster::None };
    let control = Control::new(Duration::from_secs(60));
    let preview = Preview { helm, control, progress: None, cache: Some(home.path().join("cache")) };
    let target = PreviewTarget {
        from: "--kube-version".into(),
        kube_version: Some(kube_version.clone()),
        api_versions: Vec::new(),
        release: ReleaseName::new("monitoring", "kps")?,
    };
    let classed = PreviewOptions { overrides: Some(Duration::from_secs(120)) };
    let rounds = if documents.is_empty() { vec![PreviewOptions::default()] } else { vec![PreviewOptions::default(), classed, classed] };
    for options in rounds {
        let start = Instant::now();
        let made = preview.input((&old).into(), (&new).into(), &target, &documents, options).await?;
        let (all, took, input) = (start.elapsed(), made.took, &made.input);
        writeln!(
            out,
            "{all:.1?} in all, helm {:.1?} in {} renders (old {:.1?}, new {:.1?}); {} objects, {} CRDs, {} random",
            took.all,
            took.renders,
            took.old,
            took.new,
            input.new.objects.len() + input.new.hooks.len(),
            input.new.crds.len(),
            input.new.random.len(),
        )?;
        let start = Instant::now();
        let summary = groundswell_change::summarise(input);
        writeln!(out, "  {:.1?} for the summary: {}", start.elapsed(), summary.verdict.line)?;
        for verdict in input.overrides.iter().flatten() {
            writeln!(out, "  {} {:?} {:?}", verdict.path, verdict.class, verdict.affects.first())?;
        }
        for missed in &input.not_checked {
            writeln!(out, "  not checked: {} ({})", missed.what, missed.why)?;
        }
    }
    Ok(())
}

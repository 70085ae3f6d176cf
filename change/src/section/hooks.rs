//! Hooks and tests of the chart: what runs around an upgrade.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Context;
use super::objects::needed;
use super::read::{
    Seen, and, annotated_words, annotation, claim, count, few, finish, is_upgrade_hook, kept, list, news, olds, pod_spec, text,
};
use super::versions::images;
use crate::summary::{Item, ObjectRef, Weight};

/// A hook, as far as it is compared.
struct Hook<'c> {
    seen: Seen<'c>,
    events: Vec<String>,
    weight: i64,
    policy: Vec<String>,
}

impl<'c> Hook<'c> {
    fn read(seen: Seen<'c>) -> Self {
        let sorted = |key: &str| {
            let mut words = annotated_words(seen.value(), key);
            words.sort();
            words
        };
        let mut policy = sorted("helm.sh/hook-delete-policy");
        if policy.is_empty() {
            policy.push("before-hook-creation".to_owned());
        }
        let mut events = sorted("helm.sh/hook");
        // The name that Helm 2 had for it.
        events.iter_mut().filter(|word| *word == "test-success").for_each(|word| "test".clone_into(word));
        // What is no number, and one with a space is none to Helm, weighs nothing.
        let weight = annotation(seen.value(), "helm.sh/hook-weight").and_then(|weight| weight.parse().ok()).unwrap_or(0);
        Self { seen, events, weight, policy }
    }

    fn test(&self) -> bool {
        self.events.iter().all(|event| event.starts_with("test"))
    }

    /// Whether it runs something that an upgrade waits for, and fails by.
    fn runs(&self) -> bool {
        matches!(self.seen.kind(), "Job" | "Pod") && !self.test()
    }

    /// Whether an upgrade runs it.
    fn on_upgrade(&self) -> bool {
        is_upgrade_hook(self.seen.value())
    }

    /// Whether it is there for those that run: accounts, rights, configuration.
    fn beside(&self) -> bool {
        !self.runs() && !self.test() && !self.legacy()
    }

    /// Whether it is marked in a way that only Helm 2 knew.
    fn legacy(&self) -> bool {
        self.events.iter().any(|event| event == "crd-install")
    }

    fn when(&self) -> String {
        and(&self.events)
    }

    fn images(&self) -> Vec<String> {
        let mut images: Vec<String> = images(self.seen.value()).iter().map(super::versions::Use::written).collect();
        images.sort();
        images.dedup();
        images
    }

    /// The account that it runs as.
    fn account(&self) -> &str {
        let spec = pod_spec(self.seen.value()).unwrap_or(&Value::Null);
        text(spec, &["serviceAccountName"]).unwrap_or("default")
    }
}

pub(super) fn items(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let added: Vec<Hook<'_>> =
        context.hooks.added.iter().map(|one| Hook::read(Seen { object: &one.object, rendered: one.rendered })).collect();
    let removed: Vec<Hook<'_>> =
        context.hooks.removed.iter().map(|one| Hook::read(Seen { object: &one.object, rendered: one.rendered })).collect();
    for hook in added.iter().filter(|hook| hook.runs()) {
        let images = hook.images();
        let image = if images.is_empty() { String::new() } else { format!(" with {}", few(&images, 2)) };
        let (weight, more) = if hook.on_upgrade() {
            (Weight::Look, ", and the upgrade fails when it does")
        } else {
            (Weight::Know, "; an upgrade does not run it")
        };
        let what = format!("is new: it runs at {}{image} as account {}{more}", hook.when(), hook.account());
        items.push(claim("hook-added", weight, what, &[hook.seen]));
    }
    for hook in removed.iter().filter(|hook| hook.runs()) {
        items.push(claim("hook-removed", Weight::Know, format!("is gone: it ran at {}", hook.when()), &[hook.seen]));
    }
    for pair in &context.hooks.pairs {
        let old = Hook::read(Seen { object: &pair.object, rendered: pair.old });
        let new = Hook::read(Seen { object: &pair.object, rendered: pair.new });
        items.extend(changed(&old, &new, pair.changed()));
    }
    items.extend(crossed(context));
    items.extend(too_early(context));
    items.extend(folded(&added, "hook-objects-added", "is new beside the hooks", "are new beside the hooks", |hook| hook.beside()));
    items.extend(folded(&removed, "hook-objects-removed", "is gone beside the hooks", "are gone beside the hooks", |hook| hook.beside()));
    items.extend(folded(&added, "tests-added", "of the chart's tests is new", "of the chart's tests are new", |hook| hook.test()));
    items.extend(folded(&removed, "tests-removed", "of the chart's tests is gone", "of the chart's tests are gone", |hook| hook.test()));
    let fresh = context.hooks.added.iter().map(|one| Seen { object: &one.object, rendered: one.rendered });
    let others = context.hooks.pairs.iter().filter(|pair| pair.changed()).map(|pair| Seen { object: &pair.object, rendered: pair.new });
    items.extend(ignored(fresh.chain(others)));
    finish(items)
}

fn changed(old: &Hook<'_>, new: &Hook<'_>, content: bool) -> Vec<Item> {
    let mut said: Vec<String> = Vec::new();
    let mut weight = Weight::Know;
    if old.events != new.events {
        weight = Weight::Look;
        said.push(format!("runs at {} where it ran at {}", new.when(), old.when()));
    }
    if old.weight != new.weight {
        said.push(format!("has weight {} where it had {}, so its turn may be another", new.weight, old.weight));
    }
    if old.policy != new.policy {
        said.push(format!("is deleted by {} where it was by {}", and(&new.policy), and(&old.policy)));
    }
    let (was, is) = (old.images(), new.images());
    if was != is {
        let fresh: Vec<&String> = is.iter().filter(|image| !was.contains(image)).collect();
        if !fresh.is_empty() {
            said.push(format!("runs {}", and(&fresh)));
        }
    }
    if old.account() != new.account() && new.runs() {
        weight = Weight::Look;
        said.push(format!("runs as account {} where it ran as {}", new.account(), old.account()));
    }
    let (was, is) = (commands(old.seen.value()), commands(new.seen.value()));
    if was != is {
        weight = if new.runs() { Weight::Look } else { weight };
        said.push("has another command or other arguments".to_owned());
    }
    if said.is_empty() && content && new.runs() {
        said.push("changed otherwise".to_owned());
    }
    if said.is_empty() {
        return Vec::new();
    }
    // What the upgrade does not run nobody waits for.
    let weight = if old.on_upgrade() || new.on_upgrade() { weight } else { Weight::Know };
    let code = if new.test() { "test-changed" } else { "hook-changed" };
    let weight = if new.test() { Weight::Know } else { weight };
    vec![claim(code, weight, said.join("; "), &[new.seen])]
}

/// Commands and arguments of all containers; images in them are told already.
fn commands(object: &Value) -> Vec<&Value> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let containers = ["initContainers", "containers"].into_iter().flat_map(|key| list(spec, &[key]));
    containers.flat_map(|container| ["command", "args"].into_iter().filter_map(|key| container.get(key))).collect()
}

/// Objects that become hooks, or hooks that become objects of the release: Helm deletes the former and may refuse the latter.
fn crossed(context: &Context<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for one in &context.hooks.added {
        if let Some(was) = context.objects.removed.iter().find(|other| other.object == one.object) {
            let seen = Seen { object: &one.object, rendered: one.rendered };
            items.push(to_hook(&Hook::read(seen), kept(&was.rendered.value)));
        }
    }
    for one in &context.objects.added {
        if context.hooks.removed.iter().any(|other| other.object == one.object) {
            let seen = Seen { object: &one.object, rendered: one.rendered };
            let what = "was a hook and belongs to the release now: where the hook left it behind, Helm refuses to take it over";
            let next = format!(
                "before the upgrade, see whether it is there: kubectl get {} {} -n {}",
                seen.object.kind.to_lowercase(),
                seen.object.name,
                seen.object.namespace
            );
            items.push(claim("hook-to-object", Weight::Act, what, &[seen]).next(next.trim_end_matches(" -n ").to_owned()));
        }
    }
    items
}

/// Helm runs the hooks before an upgrade first, and deletes what has left the release after that: the same object.
fn to_hook(hook: &Hook<'_>, kept: bool) -> Item {
    let at = |name: &str| hook.events.iter().any(|event| event == name);
    let (weight, what) = match (kept, at("post-upgrade"), at("pre-upgrade")) {
        (true, ..) => (Weight::Look, "becomes a hook; the object of the release is kept, so the hook finds it there"),
        (false, true, _) => (Weight::Look, "becomes a hook: Helm deletes it as an object of the release and makes it anew"),
        (false, false, true) => (
            Weight::Act,
            "becomes a hook: Helm makes it before the upgrade, then deletes it as an object that has left the release; after this upgrade it is gone",
        ),
        (false, false, false) => {
            (Weight::Act, "becomes a hook that no upgrade runs: Helm deletes it as an object of the release, and nothing makes it anew")
        }
    };
    let item = claim("object-to-hook", weight, what, &[hook.seen]);
    if weight == Weight::Look {
        return item;
    }
    let object = hook.seen.object;
    item.next(format!(
        "before the upgrade, have it kept: kubectl annotate {} {} --namespace {} helm.sh/resource-policy=keep",
        object.kind.to_lowercase(),
        object.name,
        object.namespace
    ))
}

/// When an upgrade makes an object: before it, with it or after it; and among the hooks by weight and name, as helm sorts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn<'c> {
    Before(i64, &'c str),
    With,
    After(i64, &'c str),
    Never,
}

impl<'c> Turn<'c> {
    fn of(hook: &Hook<'c>) -> Self {
        let at = |name: &str| hook.events.iter().any(|event| event == name);
        let name = hook.seen.object.name.as_str();
        match (at("pre-upgrade"), at("post-upgrade")) {
            (true, _) => Self::Before(hook.weight, name),
            (false, true) => Self::After(hook.weight, name),
            (false, false) => Self::Never,
        }
    }
}

/// Hooks that need what the same upgrade makes after them: their pods wait for it until helm gives up.
fn too_early(context: &Context<'_>) -> Vec<Item> {
    let (objects, hooks) = (context.objects, context.hooks);
    let covered = hooks.new_twice.iter().map(|one| Seen { object: &one.object, rendered: one.rendered });
    let all: Vec<Hook<'_>> = news(hooks).into_iter().chain(covered).map(Hook::read).collect();
    // What was in the old version is there already.
    let was_there = |object: &ObjectRef| [objects, hooks].iter().any(|sort| olds(sort).iter().any(|seen| seen.object == object));
    let turn = |object: &ObjectRef| {
        let with = objects.added.iter().filter(|one| &one.object == object).map(|_| Turn::With);
        with.chain(all.iter().filter(|hook| hook.seen.object == object).map(Turn::of)).min()
    };
    let mut items = Vec::new();
    for hook in all.iter().filter(|hook| hook.runs() && hook.on_upgrade()) {
        let Some(spec) = pod_spec(hook.seen.value()) else { continue };
        let namespace = &hook.seen.object.namespace;
        let of_core = |kind: &str, name: &str| ObjectRef {
            group: String::new(),
            kind: kind.to_owned(),
            namespace: namespace.clone(),
            name: name.to_owned(),
        };
        let wanted = needed(spec).into_iter().map(|(kind, name)| of_core(kind, name));
        let late = wanted.filter(|object| !was_there(object) && turn(object) > Some(Turn::of(hook)));
        let (never, late): (Vec<ObjectRef>, Vec<ObjectRef>) = late.partition(|object| turn(object) == Some(Turn::Never));
        let named = |some: &[ObjectRef]| few(&some.iter().map(|one| format!("{} {}", one.kind, one.name)).collect::<Vec<_>>(), 3);
        if !late.is_empty() {
            items.push(fails(hook, format!("runs before the upgrade makes {}, which it needs", named(&late))));
        }
        if !never.is_empty() {
            items.push(fails(hook, format!("needs {}, which is new and a hook that no upgrade runs", named(&never))));
        }
    }
    items
}

fn fails(hook: &Hook<'_>, why: String) -> Item {
    let what = format!("{why}: its pods do not start, and the upgrade fails when helm has waited long enough");
    let next = "make it yourself before the upgrade, marked as part of the release, or switch the hook off by the values";
    claim("hook-too-early", Weight::Stop, what, &[hook.seen]).next(next)
}

/// Hooks that are told together, by kind.
fn folded(hooks: &[Hook<'_>], code: &str, one: &str, many: &str, which: fn(&Hook<'_>) -> bool) -> Option<Item> {
    let some: Vec<&Hook<'_>> = hooks.iter().filter(|hook| which(hook)).collect();
    let seen: Vec<Seen<'_>> = some.iter().map(|hook| hook.seen).collect();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &seen {
        *kinds.entry(one.kind()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, n)| if n == 1 { kind.to_owned() } else { format!("{n} {kind}s") }).collect();
    let first = seen.first()?;
    let what = if seen.len() == 1 {
        format!("{} {one}", first.kind())
    } else {
        format!("{} {many} ({})", count(seen.len(), "object", "objects"), kinds.join(", "))
    };
    Some(claim(code, Weight::Know, what, &seen))
}

/// Hooks that only Helm 2 knew.
fn ignored<'c>(hooks: impl Iterator<Item = Seen<'c>>) -> Option<Item> {
    let old: Vec<Seen<'_>> = hooks.filter(|seen| Hook::read(*seen).legacy()).collect();
    if old.is_empty() {
        return None;
    }
    let what =
        format!("{} marked crd-install, which Helm 3 and 4 pass over: nothing makes them", count(old.len(), "object is", "objects are"));
    Some(claim("hook-ignored", Weight::Act, what, &old).next("apply these CRDs yourself before the upgrade"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::says;

    fn hook(kind: &str, name: &str, annotations: &str, image: &str) -> String {
        format!(
            "apiVersion: batch/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: ns, annotations: {{{annotations}}}}}\nspec: {{template: {{spec: {{serviceAccountName: patcher, containers: [{{name: c, image: '{image}', args: [create]}}]}}}}}}"
        )
    }

    const PRE: &str = "helm.sh/hook: 'pre-install,pre-upgrade'";

    #[test]
    fn come_and_go() {
        let job = hook("Job", "create", PRE, "quay.io/certgen:1");
        insta::assert_snapshot!(says(super::items, "", &job), @"look hook-added Job/ns/create: is new: it runs at pre-install and pre-upgrade with quay.io/certgen:1 as account patcher, and the upgrade fails when it does");
        insta::assert_snapshot!(says(super::items, &job, ""), @"know hook-removed Job/ns/create: is gone: it ran at pre-install and pre-upgrade");
        let role = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: ns, annotations: {helm.sh/hook: pre-upgrade}}";
        insta::assert_snapshot!(says(super::items, "", &[role, &role.replace("ServiceAccount", "Role")].join("\n---\n")), @"know hook-objects-added Role/ns/a +1: 2 objects are new beside the hooks (Role, ServiceAccount)");
        insta::assert_snapshot!(says(super::items, "", &hook("Pod", "t", "helm.sh/hook: test-success", "x")), @"know tests-added Pod/ns/t: Pod of the chart's tests is new");
        assert_eq!(
            says(super::items, &hook("Pod", "t", "helm.sh/hook: test-success", "x"), &hook("Pod", "t", "helm.sh/hook: test", "x")),
            ""
        );
    }

    #[test]
    fn changes() {
        let old = hook("Job", "create", PRE, "quay.io/certgen:1");
        let new = hook(
            "Job",
            "create",
            "helm.sh/hook: pre-upgrade, helm.sh/hook-weight: '5', helm.sh/hook-delete-policy: hook-succeeded",
            "quay.io/certgen:2",
        );
        insta::assert_snapshot!(says(super::items, &old, &new.replace("[create]", "[patch]").replace("patcher", "admin")), @"look hook-changed Job/ns/create: runs at pre-upgrade where it ran at pre-install and pre-upgrade; has weight 5 where it had 0, so its turn may be another; is deleted by hook-succeeded where it was by before-hook-creation; runs quay.io/certgen:2; runs as account admin where it ran as patcher; has another command or other arguments");
    }

    #[test]
    fn across_the_border_of_the_release() {
        let (hook, object) = (hook("Job", "create", PRE, "x"), hook("Job", "create", "", "x"));
        insta::assert_snapshot!(says(super::items, &object, &hook), @"
        look hook-added Job/ns/create: is new: it runs at pre-install and pre-upgrade with docker.io/x as account patcher, and the upgrade fails when it does
        ACT object-to-hook Job/ns/create: becomes a hook: Helm makes it before the upgrade, then deletes it as an object that has left the release; after this upgrade it is gone
            -> before the upgrade, have it kept: kubectl annotate job create --namespace ns helm.sh/resource-policy=keep
        ");
        let becomes = |old: &str, events: &str| says(super::items, old, &super::tests::hook("Job", "create", events, "x"));
        assert!(
            becomes(&object, "helm.sh/hook: post-upgrade").contains("look object-to-hook Job/ns/create: becomes a hook: Helm deletes it")
        );
        assert!(
            becomes(&object, "helm.sh/hook: pre-install").contains("ACT object-to-hook Job/ns/create: becomes a hook that no upgrade runs")
        );
        let is_kept = super::tests::hook("Job", "create", "helm.sh/resource-policy: keep", "x");
        assert!(becomes(&is_kept, PRE).contains("look object-to-hook Job/ns/create: becomes a hook; the object of the release is kept"));
        insta::assert_snapshot!(says(super::items, &hook, &object), @"
        know hook-removed Job/ns/create: is gone: it ran at pre-install and pre-upgrade
        ACT hook-to-object Job/ns/create: was a hook and belongs to the release now: where the hook left it behind, Helm refuses to take it over
            -> before the upgrade, see whether it is there: kubectl get job create -n ns
        ");
    }

    #[test]
    fn what_an_upgrade_does_not_run() {
        for event in ["pre-install", "post-install,post-delete", "pre-delete", "pre-rollback"] {
            let job = hook("Job", "create", &format!("helm.sh/hook: '{event}'"), "quay.io/certgen:1");
            let said = says(super::items, "", &job);
            assert!(said.starts_with("know hook-added Job/ns/create: is new") && said.contains("; an upgrade does not run it"), "{said}");
            let said = says(super::items, &job, &job.replace("[create]", "[patch]"));
            assert!(said.starts_with("know hook-changed"), "{said}");
        }
    }

    #[test]
    fn what_a_hook_needs_before_it_is_there() {
        let job = hook("Job", "create", "helm.sh/hook: pre-upgrade", "quay.io/certgen:1");
        let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: patcher, namespace: ns";
        let (plain, own) =
            (format!("{account}}}"), format!("{account}, annotations: {{helm.sh/hook: pre-upgrade, helm.sh/hook-weight: '-1'}}}}"));
        let with = |account: &str| [job.clone(), account.to_owned()].join("\n---\n");
        let said = says(super::items, "", &with(&plain));
        assert!(
            said.contains("STOP hook-too-early Job/ns/create: runs before the upgrade makes ServiceAccount patcher, which it needs"),
            "{said}"
        );
        assert!(!says(super::items, "", &with(&own)).contains("hook-too-early"));
        assert!(!says(super::items, &plain, &with(&plain)).contains("hook-too-early"), "it is there");
        assert!(!says(super::items, "", &with(&plain).replace("pre-upgrade", "post-upgrade")).contains("hook-too-early"));
    }

    /// Helm sorts hooks by weight and then by name, whatever their kind, and goes on when a Job is done.
    #[test]
    fn what_a_hook_needs_and_a_later_hook_makes() {
        let annotations = |event: &str, weight: &str| format!("annotations: {{helm.sh/hook: {event}, helm.sh/hook-weight: '{weight}'}}");
        let account = |name: &str, rest: &str| format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, {rest}}}");
        let job = |event: &str, account: &str| {
            hook("Job", "create", &format!("helm.sh/hook: {event}, helm.sh/hook-weight: '1'"), "a").replace("patcher", account)
        };
        let (pre, post, late) = ("pre-upgrade", "post-upgrade", "runs before the upgrade makes ServiceAccount");
        for (event, name, made, expected) in [
            (pre, "a", annotations(pre, "0"), ""),
            (pre, "z", annotations(pre, "1"), late),
            (pre, "a", annotations(pre, "1"), ""),
            (pre, "a", annotations(pre, "2"), late),
            (pre, "a", annotations(post, "0"), late),
            (pre, "a", annotations("pre-install", "0"), "needs ServiceAccount a, which is new and a hook that no upgrade runs"),
            (post, "a", annotations(pre, "9"), ""),
            (post, "a", annotations(post, "0"), ""),
            (post, "a", annotations(post, "2"), late),
            (post, "a", "labels: {}".to_owned(), ""),
        ] {
            let new = [job(event, name), account(name, &made)].join("\n---\n");
            let said = says(super::items, "", &new);
            assert_eq!(said.contains("hook-too-early"), !expected.is_empty(), "{new}: {said}");
            assert!(said.contains(expected), "{new}: {said}");
            for old in [account(name, &made), account(name, "labels: {}")] {
                assert!(!says(super::items, &old, &new).contains("hook-too-early"), "it is there: {new}");
            }
        }
        // Helm reads the events in small letters, and a weight with a space as none.
        for (event, weight, is_late) in [("' Pre-Upgrade '", "0", false), ("PRE-UPGRADE", "5", true), (pre, " 5", false)] {
            let new = [job("PRE-upgrade", "a"), account("a", &annotations(event, weight))].join("\n---\n");
            let said = says(super::items, "", &new);
            assert_eq!(said.contains(late), is_late, "{new}: {said}");
            assert_eq!(said.contains("hook-too-early"), is_late, "{new}: {said}");
        }
        let twice = [job(pre, "a"), account("a", &annotations(pre, "0")), account("a", &annotations(post, "0"))].join("\n---\n");
        assert!(!says(super::items, "", &twice).contains("hook-too-early"), "one of them is early enough");
    }

    #[test]
    fn hooks_of_helm_2() {
        insta::assert_snapshot!(says(super::items, "", "kind: CustomResourceDefinition\nmetadata: {name: a, annotations: {helm.sh/hook: crd-install}}"), @"
        ACT hook-ignored CustomResourceDefinition/ns/a: 1 object is marked crd-install, which Helm 3 and 4 pass over: nothing makes them
            -> apply these CRDs yourself before the upgrade
        ");
    }
}

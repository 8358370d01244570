// One page over the JSON of the debug endpoints. No framework and no build step: text is only ever set as text, so
// nothing that a name or message holds can become markup.

const TYPES = ["CDS", "LDS", "RDS", "VHDS", "EDS", "ECDS", "SDS"];
const LABELS = {
  CDS: "Clusters", LDS: "Listeners", RDS: "Routes", VHDS: "Virtual hosts", EDS: "Endpoints", ECDS: "Extensions",
  SDS: "Secrets", NDS: "Names", PCDS: "Proxy config",
};
const SHORT = {
  "envoy.config.cluster.v3.Cluster": "CDS",
  "envoy.config.listener.v3.Listener": "LDS",
  "envoy.config.route.v3.RouteConfiguration": "RDS",
  "envoy.config.route.v3.VirtualHost": "VHDS",
  "envoy.config.endpoint.v3.ClusterLoadAssignment": "EDS",
  "envoy.config.core.v3.TypedExtensionConfig": "ECDS",
  "envoy.extensions.transport_sockets.tls.v3.Secret": "SDS",
  "istio.networking.nds.v1.NameTable": "NDS",
  "istio.mesh.v1alpha1.ProxyConfig": "PCDS",
};
const REFRESH_MS = 3000;
const ROWS_SHOWN = 500;

const view = document.getElementById("view");

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const link = (href, text) => make("a", { href }, text);
const shortType = (url) => SHORT[url.replace("type.googleapis.com/", "")] ?? url;
const hash = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
const empty = (text) => make("p", { class: "empty" }, text);

async function ask(path, query = {}) {
  const address = `/debug/${path}?${new URLSearchParams(query)}`;
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).trim()}`);
  return answer.json();
}

function table(header, rows) {
  const head = make("tr", {}, header.map((name) => make("th", { scope: "col" }, name)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, rows));
}

const cell = (...content) => make("td", {}, ...content);
const row = (...cells) => make("tr", {}, cells.map((content) => (content instanceof Node && content.tagName === "TD" ? content : cell(content ?? ""))));

// A table with a box above it that keeps the rows whose text holds what is typed.
function searchable(header, items, render, text) {
  const box = make("input", { type: "search", placeholder: `Filter ${items.length} rows`, "aria-label": "Filter" });
  const body = make("div");
  const show = () => {
    const wanted = box.value.toLowerCase();
    const found = wanted ? items.filter((item) => text(item).toLowerCase().includes(wanted)) : items;
    body.replaceChildren(table(header, found.slice(0, ROWS_SHOWN).map(render)));
    if (found.length > ROWS_SHOWN) body.append(empty(`${found.length - ROWS_SHOWN} more; filter to see them`));
    if (!found.length) body.replaceChildren(empty("nothing of that name"));
  };
  box.addEventListener("input", show);
  show();
  return [box, body];
}

const state = (status, title) => make("span", { class: `state ${status}`, title }, status.replace("_", " ").toLowerCase());

function place(item) {
  return item.file ? `${item.file}:${item.line}` : (item.uid ?? "");
}

// -- views -----------------------------------------------------------------------------------------------------------

async function proxies() {
  const rows = await ask("syncz");
  const watched = new Set(rows.flatMap((proxy) => Object.keys(proxy.resources).map(shortType)));
  const types = TYPES.filter((type) => watched.has(type));
  const render = (proxy) => {
    const states = Object.fromEntries(Object.entries(proxy.resources).map(([url, found]) => [shortType(url), found]));
    const cells = types.map((type) => {
      const found = states[type];
      return found ? cell(state(found.status, found.lastError ?? `sent ${found.sentTime}`)) : cell(make("span", { class: "muted" }, "–"));
    });
    return row(link(hash("proxy", proxy.connection_id), proxy.proxy), proxy.proxy_type, proxy.cluster_id, proxy.istio_version, ...cells);
  };
  const header = ["Proxy", "Type", "Cluster", "Version", ...types.map((type) => LABELS[type])];
  const body = rows.length ? searchable(header, rows, render, (proxy) => proxy.proxy) : [empty("No proxy is connected.")];
  return [make("h1", {}, `Proxies (${rows.length})`), ...body];
}

async function services() {
  const rows = await ask("registryz");
  const render = (service) => row(
    link(hash("service", service.hostname), service.hostname),
    service.Attributes.Namespace,
    service.Attributes.ServiceRegistry,
    (service.ports ?? []).map((port) => `${port.name || "–"} ${port.port}/${port.protocol}`).join(", "),
    service.defaultAddress,
  );
  const body = rows.length
    ? searchable(["Host", "Namespace", "Registry", "Ports", "Address"], rows, render, (service) => `${service.hostname} ${service.Attributes.Namespace}`)
    : [empty("No services.")];
  return [make("h1", {}, `Services (${rows.length})`), ...body];
}

async function service(host) {
  const [found, shards] = await Promise.all([ask("registryz", { host }), ask("endpointz", { host })]);
  const endpoints = Object.values(shards[host] ?? {}).flatMap((namespace) => Object.values(namespace.Shards).flat());
  const render = (endpoint) => row(
    `${endpoint.Addresses.join(", ")}:${endpoint.EndpointPort}`, endpoint.ServicePortName, endpoint.WorkloadName,
    endpoint.Locality.Label, endpoint.ServiceAccount,
    state(["SYNCED", "ERROR", "STALE"][endpoint.HealthStatus], ["healthy", "unhealthy", "draining"][endpoint.HealthStatus]),
  );
  return [
    make("h1", {}, host),
    endpoints.length
      ? searchable(["Endpoint", "Port", "Workload", "Locality", "Identity", "Health"], endpoints, render, (endpoint) => endpoint.Addresses.join())
      : empty("No endpoints."),
    make("h2", {}, "Definition"),
    make("pre", {}, JSON.stringify(found, null, 2)),
  ].flat();
}

async function problems() {
  const found = await ask("push_status");
  const configuration = Object.entries(found.configuration).map(([title, item]) => row(
    make("span", { class: item.severity }, item.severity), make("span", { class: "code" }, place(item)), title,
    cell(item.message, item.hint ? make("span", { class: "muted" }, ` (${item.hint})`) : null),
  ));
  const rejections = Object.values(found.rejections).map((item) => row(
    link(hash("proxy", item.proxy), item.proxy), LABELS[shortType(item.type)] ?? item.type, item.message, item.resources.join(", "), item.at.replace("T", " ").slice(0, 19),
  ));
  const rendering = Object.entries(found.rendering).map(([what, item]) => row(what, item.message));
  return [
    make("h1", {}, "Problems"),
    make("h2", {}, "In the configuration as written"),
    configuration.length ? table(["Severity", "Where", "What", "Problem"], configuration) : empty("None."),
    make("h2", {}, "Rejected by proxies"),
    rejections.length ? table(["Proxy", "Type", "Reason", "Resources", "When"], rejections) : empty("None."),
    make("h2", {}, "Not rendered, served as it last was"),
    rendering.length ? table(["Resource", "Reason"], rendering) : empty("None."),
  ];
}

async function configuration() {
  const objects = await ask("configz");
  const name = (object) => `${object.kind} ${object.metadata.namespace ?? "default"}/${object.metadata.name}`;
  const render = (object) => row(cell(make("details", {}, make("summary", {}, name(object)), make("pre", {}, JSON.stringify(object, null, 2)))));
  const body = objects.length ? searchable(["Object"], objects, render, name) : [empty("No objects of the mesh.")];
  return [make("h1", {}, `Configuration (${objects.length})`), ...body];
}

async function endpointsOfPage() {
  const names = await ask("list");
  return [make("h1", {}, "Debug endpoints"), make("ul", {}, names.map((name) => make("li", {}, link(`/debug/${name}?pretty`, `/debug/${name}`))))];
}

function tabs(id, types, current) {
  return make("div", { class: "tabs" }, types.map((type) => make("a", { href: hash("proxy", id, type), "aria-current": type === current ? "page" : null }, LABELS[type] ?? type)));
}

async function proxy(id, type) {
  const ads = await ask("adsz", { proxyID: id });
  const client = ads.clients.find((candidate) => candidate.connectionId === id) ?? ads.clients[0];
  const watched = Object.keys(client.watches).map(shortType);
  const types = TYPES.filter((candidate) => watched.includes(candidate));
  const current = type ?? types[0];
  const resources = current ? await ask("resources", { proxyID: id, type: current.toLowerCase() }) : [];
  const render = (resource) => row(
    link(hash("proxy", id, current, resource.name), resource.name), make("code", {}, resource.version), make("td", { class: "number" }, resource.bytes.toLocaleString()),
  );
  return [
    make("h1", {}, client.connectionId),
    make("p", { class: "muted" }, `connected ${client.connectedAt} from ${client.address}${client.identity ? ` as ${client.identity}` : ""}`),
    tabs(id, types, current),
    resources.length ? searchable(["Name", "Version", "Bytes"], resources, render, (resource) => resource.name) : empty("Nothing of this type."),
    make("h2", {}, "Node"),
    make("details", {}, make("summary", {}, "labels and metadata"), make("pre", {}, JSON.stringify({ labels: client.labels, metadata: client.metadata }, null, 2))),
  ].flat();
}

function explained(found) {
  const deciding = found.objects.filter((item) => item.decides);
  const others = found.objects.filter((item) => !item.decides);
  const render = (item) => {
    const fields = (item.fields ?? []).map((field) => make("li", { class: "code" }, field));
    return row(cell(`${item.kind} ${item.namespace ? `${item.namespace}/` : ""}${item.name}`, fields.length ? make("ul", { class: "fields" }, fields) : null), make("span", { class: "code" }, place(item)));
  };
  const parts = [
    make("h2", {}, "Comes from"),
    make("p", { class: "muted" }, "Without any of these objects, or without one of the fields named, it would be different."),
    deciding.length ? table(["Object and fields", "Where"], deciding.map(render)) : empty("No single object decides."),
  ];
  const more = others.length + found.objectsOmitted;
  if (more) {
    parts.push(make("details", {}, make("summary", { class: "muted" }, `${more} more were read and do not decide, or were not examined`), table(["Object", "Where"], others.map(render))));
  }
  if (found.meshConfig) parts.push(make("p", { class: "muted" }, "The mesh configuration was read too."));
  return parts;
}

async function resource(id, type, name) {
  const query = { proxyID: id, type: type.toLowerCase(), name };
  const [body, why] = await Promise.all([ask("resources", query), ask("explain", query).catch((error) => error)]);
  return [
    make("p", {}, link(hash("proxy", id, type), `← ${id}, ${LABELS[type] ?? type}`)),
    make("h1", {}, name),
    make("p", { class: "muted" }, "version ", make("code", {}, body.version)),
    ...(why instanceof Error ? [empty(why.message)] : explained(why)),
    make("h2", {}, "Resource"),
    make("pre", {}, JSON.stringify(body.resource, null, 2)),
  ];
}

// -- routing ---------------------------------------------------------------------------------------------------------

const VIEWS = { "": proxies, services, service, problems, configuration, endpoints: endpointsOfPage, proxy };
const LIVING = new Set(["", "problems"]); // these are asked for again and again

let turn = 0;
let timer = null;

function route() {
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const chosen = name === "proxy" && parts.length === 3 ? resource : VIEWS[name];
  return { name, parts, chosen };
}

async function show({ quietly = false } = {}) {
  clearTimeout(timer);
  const mine = ++turn;
  const { name, parts, chosen } = route();
  for (const anchor of document.querySelectorAll("nav a")) {
    if (anchor.getAttribute("href") === `#/${name}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  if (!quietly) view.classList.add("faded");
  try {
    const content = chosen ? await chosen(...parts) : [empty("There is no such page.")];
    if (mine !== turn) return;
    const box = document.activeElement;
    const typing = quietly && box instanceof HTMLInputElement && box.value;
    if (!typing) view.replaceChildren(...content);
  } catch (error) {
    if (mine === turn) view.replaceChildren(make("p", { class: "error" }, String(error.message ?? error)));
  }
  view.classList.remove("faded");
  if (LIVING.has(name)) timer = setTimeout(() => show({ quietly: true }), REFRESH_MS);
}

async function badge() {
  const found = await ask("push_status").catch(() => null);
  const count = found ? Object.values(found).reduce((sum, group) => sum + Object.keys(group).length, 0) : 0;
  const mark = document.getElementById("problem-count");
  mark.hidden = !count;
  mark.textContent = String(count);
  setTimeout(badge, REFRESH_MS * 2);
}

addEventListener("hashchange", () => show());
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : show({ quietly: true })));
fetch("/version").then((answer) => answer.text()).then((text) => { document.getElementById("version").textContent = text.trim(); });
badge();
show();

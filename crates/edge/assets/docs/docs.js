// The page at /docs, made from /openapi.json. Text is only ever set as text, never as HTML.
"use strict";

// An element with a class, and its children: elements, or strings as text.
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function link(target, ...children) {
  const anchor = make("a", "", ...children);
  anchor.href = target;
  return anchor;
}

// What stands between backticks is code.
function inline(text) {
  return text.split("`").map((part, at) => (at % 2 ? make("code", "", part) : part));
}

function paragraphs(text) {
  return (text || "").split(/\n\s*\n/).filter(Boolean).map((part) => make("p", "", ...inline(part)));
}

const lastOf = (reference) => reference.split("/").pop();
const idOf = (kind, name) => `${kind}-${name}`;

// The object that a reference names, or the thing itself.
function resolve(api, thing) {
  if (!thing.$ref) return thing;
  return thing.$ref.slice(2).split("/").reduce((inner, key) => inner[key], api);
}

// A type in a few words, with links: requests accept more forms than are told, which the introduction says once.
function typeOf(schema) {
  if (schema.$ref) {
    const name = lastOf(schema.$ref);
    return [link(`#${idOf("type", name)}`, name)];
  }
  const others = (schema.anyOf || []).filter((one) => one.type !== "null");
  if (others.length) return others.flatMap((one, at) => (at ? [" or ", ...typeOf(one)] : typeOf(one)));
  if (schema.enum) {
    const names = schema.enum.filter((value) => typeof value === "string");
    return names.flatMap((name, at) => (at ? [" | ", make("code", "", name)] : [make("code", "", name)]));
  }
  const type = [].concat(schema.type || "any")[0];
  if (type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.contentEncoding) return [`${type}, ${schema.contentEncoding}`];
  return [schema.format ? `${type}, ${schema.format}` : type];
}

function entry(name, type, notes, description) {
  const label = make("span", "type", ...type, notes ? ` · ${notes}` : "");
  return make("div", "", make("dt", "", make("code", "", name), label), make("dd", "", ...paragraphs(description)));
}

function fields(schema) {
  const entries = Object.entries(schema.properties || {});
  if (!entries.length) return make("p", "", "No fields.");
  return make("dl", "", ...entries.map(([name, field]) => entry(name, typeOf(field), "", field.description)));
}

// A body: its fields, in place or behind a link to its type.
function body(api, schema) {
  const inner = resolve(api, schema);
  return inner.properties ? fields(inner) : make("p", "", ...typeOf(schema));
}

// A value that shows a field's form.
function example(api, schema) {
  const inner = resolve(api, schema);
  const type = [].concat(inner.type || "object")[0];
  if (inner.enum) return inner.enum[Math.min(1, inner.enum.length - 1)];
  return { boolean: true, integer: 1, number: 1, array: [], object: {} }[type] ?? (inner.format ? "1" : "…");
}

// What may be left out of a request says so in its description.
const isOptional = (field) => /\babsent\b|empty if none/i.test(field.description || "");

function curl(api, method, path, operation) {
  const isStream = "101" in operation.responses;
  const url = location.origin + path;
  const json = operation.requestBody?.content["application/json"];
  if (!json) return `curl ${method === "get" ? (isStream ? "-N " : "") : `-X ${method.toUpperCase()} `}${url}`;
  const schema = resolve(api, json.schema);
  const excluded = (schema.allOf || []).map((one) => one.not?.required?.[1]);
  const properties = Object.entries(schema.properties || {})
    .filter(([name, field]) => !excluded.includes(name) && !isOptional(field));
  const values = Object.fromEntries(properties.map(([name, field]) => [name, example(api, field)]));
  return `curl -d '${JSON.stringify(values)}' ${url}`;
}

function operationCard(api, method, path, operation) {
  const card = make("article", "");
  card.id = idOf("rpc", operation.operationId);
  const title = make("h3", "", make("span", `method ${method}`, method.toUpperCase()), make("code", "", path));
  card.append(title, make("p", "rpc", `gRPC ${operation.operationId}`), ...paragraphs(operation.description));
  const parameters = operation.parameters.map((one) => resolve(api, one)).filter((one) => one.in !== "header");
  if (parameters.length) {
    const rows = parameters.map((one) => entry(one.name, typeOf(one.schema), `in the ${one.in}`, one.description));
    card.append(make("h4", "", "Parameters"), make("dl", "", ...rows));
  }
  if (operation.requestBody) {
    card.append(make("h4", "", "Request"), body(api, operation.requestBody.content["application/json"].schema));
  }
  const [, ok] = Object.entries(operation.responses).find(([status]) => status === "200");
  const [mediaType, media] = Object.entries(ok.content)[0];
  const isStream = mediaType !== "application/json";
  card.append(make("h4", "", isStream ? "Answer, a stream" : "Answer"));
  if (isStream) card.append(...paragraphs(ok.description), make("p", "", "Each frame: ", ...typeOf(media.schema)));
  else card.append(body(api, media.schema));
  card.append(make("h4", "", "Example"), make("pre", "", curl(api, method, path, operation)));
  const errors = Object.keys(operation.responses).filter((status) => Number(status) >= 400);
  const links = errors.flatMap((status, at) => [at ? ", " : "", link(`#${idOf("error", status)}`, status)]);
  card.append(make("h4", "", "Errors"), make("p", "", ...links));
  return card;
}

// Every operation of the document, with the service that it belongs to.
function operationsOf(api) {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation, tag: operation.tags[0] })));
}

function show(api) {
  const at = (id) => document.getElementById(id);
  at("version").textContent = api.info.version;
  at("introduction").replaceChildren(...paragraphs(api.info.description));
  const operations = operationsOf(api);
  for (const tag of api.tags) {
    const own = operations.filter((one) => one.tag === tag.name);
    const heading = make("h2", "", tag.name);
    heading.id = idOf("service", tag.name);
    at("services").append(heading, ...paragraphs(tag.description));
    at("services").append(...own.map((one) => operationCard(api, one.method, one.path, one.operation)));
    const items = own.map((one) => make("li", "", make("span", `method ${one.method}`, one.method.toUpperCase()),
      link(`#${idOf("rpc", one.operation.operationId)}`, one.path)));
    at("contents").append(make("h4", "", link(`#${heading.id}`, tag.name)), make("ul", "", ...items));
  }
  const rest = [link("#errors", "Errors"), " · ", link("#types", "Types")];
  at("contents").append(make("h4", "", ...rest));
  for (const [name, response] of Object.entries(api.components.responses)) {
    const status = name.replace(/\D/g, "");
    const card = make("article", "", make("h3", "", status), ...paragraphs(response.description));
    card.id = idOf("error", status);
    at("error-answers").append(card);
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const card = make("article", "", make("h3", "", name), ...paragraphs(schema.description));
    const variants = (schema.anyOf || []).map((one) => fields(one));
    card.append(...(variants.length ? variants : [fields(schema)]));
    card.id = idOf("type", name);
    at("type-list").append(card);
  }
  // What an operation shows in place needs no card of its own.
  const linked = new Set([...document.querySelectorAll("a")].map((anchor) => anchor.hash.slice(1)));
  for (const card of [...at("type-list").children]) if (!linked.has(card.id)) card.remove();
  // The browser looked for the address's fragment before it was there.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

async function start() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`/openapi.json was answered with ${answer.status}`);
  show(await answer.json());
}

start().catch((error) => {
  document.getElementById("introduction").replaceChildren(make("p", "problem", String(error)));
});

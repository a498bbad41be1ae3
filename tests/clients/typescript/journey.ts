// A customer's session with openapi-fetch and the types from openapi-typescript: tsc checks every call and answer.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./schema.js";

const baseUrl = process.env["SOUK_URL"] ?? "";
type Souk = Client<paths>;

const done = (step: string) => console.log(`typescript client: ${step}`);

/** Checks the status of an answer and returns its data. */
function answer<T>(result: { data?: T; error?: unknown; response: Response }, status: number): NonNullable<T> {
  assert.equal(result.response.status, status, JSON.stringify(result.error));
  assert.ok(result.data);
  return result.data;
}

async function logIn(): Promise<Souk> {
  const anybody = createClient<paths>({ baseUrl });
  const email = `${randomUUID()}@clients.example`;
  const password = randomUUID();
  const user = answer(await anybody.POST("/users", { body: { email, password, displayName: "TypeScript" } }), 201);
  done(`registered ${user.userId}`);
  const session = answer(await anybody.POST("/sessions", { body: { email, password } }), 201);
  done(`logged in for ${session.expiresIn} s`);
  return createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${session.accessToken}` } });
}

/** Creates a product; returns its id, and the entity tag of its first version. */
async function publish(souk: Souk): Promise<{ productId: string; tag: string }> {
  const created = await souk.POST("/products", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: { name: "Kaya jam", description: "", category: "food", price: { amount: 650, currency: "SGD" }, stock: 3 },
  });
  const { productId } = answer(created, 201);
  const tag = created.response.headers.get("etag") ?? "";
  done(`created product ${productId}, version ${tag}`);
  return { productId, tag };
}

/** Updates the product if its version matches the tag; a second update with the same tag fails. */
async function change(souk: Souk, productId: string, tag: string): Promise<void> {
  const request = {
    params: { path: { productId }, header: { "If-Match": tag } },
    body: { stock: 9, price: { amount: 700 }, imageUrl: null },
    headers: { "content-type": "application/merge-patch+json" },
  };
  const changed = await souk.PATCH("/products/{productId}", request);
  const product = answer(changed, 200);
  assert.deepEqual([product.stock, product.price.amount, product.version], [9, 700, 2]);
  const stale = await souk.PATCH("/products/{productId}", request);
  assert.equal(stale.response.status, 412);
  assert.ok(stale.error && "type" in stale.error && stale.error.type === "urn:souk:problem:precondition-failed");
  done(`patched version ${tag} to ${changed.response.headers.get("etag")}; the same again: ${stale.error.title}`);
}

/** Places an order at a price that has changed, one that is confirmed, and one that exceeds the stock. */
async function order(souk: Souk, productId: string): Promise<void> {
  const place = (quantity: number, amount = 700 * quantity) =>
    souk.POST("/orders", {
      params: { header: { "Idempotency-Key": randomUUID(), Prefer: "wait=10" } },
      body: {
        lines: [{ productId, quantity }],
        expectedTotal: { amount, currency: "SGD" },
        paymentMethod: "pm_card_visa",
      },
    });
  const changed = await place(2, 1300);
  assert.equal(changed.response.status, 409);
  assert.ok(changed.error && "lines" in changed.error && changed.error.total.amount === 1400);
  const placed = answer(await place(2), 201);
  assert.deepEqual([placed.status, placed.total.amount], ["confirmed", 1400]);
  done(`ordered ${placed.orderId}: ${placed.status}, ${placed.total.amount} ${placed.total.currency}`);
  const { error, response } = await place(8);
  assert.equal(response.status, 422);
  assert.ok(error && "type" in error && error.type === "urn:souk:problem:order-rejected" && error.errors?.length === 1);
  done(`ordered more than there are: ${error.title}`);
}

/** Creates a concert of a new band at a new venue, and finds it by band and location. */
async function search(souk: Souk): Promise<void> {
  const created = await souk.POST("/concerts", {
    params: { header: { "Idempotency-Key": randomUUID(), Prefer: "wait=10" } },
    body: {
      name: "Night of Strings",
      startsAt: "2090-03-06T20:00:00+08:00",
      bands: [{ name: "The Kallang Five", genre: "jazz" }],
      venue: {
        name: "Victoria Concert Hall",
        address: "11 Empress Place",
        latitude: 1.2884,
        longitude: 103.8519,
        timeZone: "Asia/Singapore",
      },
    },
  });
  const concert = answer(created, 201);
  assert.ok("bands" in concert && concert.bands[0]);
  const query = { bandIds: concert.bands[0].bandId, latitude: 1.29, longitude: 103.85, radius: 5 };
  const until = Date.now() + 30_000;
  let found: { concertId: string; distanceKm?: number }[] = [];
  // The index is eventually consistent.
  while (found.length === 0 && Date.now() < until) {
    found = answer(await souk.GET("/concerts", { params: { query } }), 200).items;
  }
  assert.deepEqual(found.map(({ concertId }) => concertId), [concert.concertId]);
  done(`found concert ${concert.concertId}, ${found[0]?.distanceKm} km away`);
}

/** Reads the document in Brotli, which fetch decodes, and again with its entity tag. */
async function readDocument(): Promise<void> {
  const anybody = createClient<paths>({ baseUrl });
  const first = await anybody.GET("/openapi.json", { params: { header: { "Accept-Encoding": "br" } } });
  assert.equal(answer(first, 200).openapi, "3.1.0");
  assert.equal(first.response.headers.get("content-encoding"), "br");
  const tag = first.response.headers.get("etag") ?? "";
  const header = { "Accept-Encoding": "br", "If-None-Match": tag };
  const second = await anybody.GET("/openapi.json", { params: { header } });
  assert.equal(second.response.status, 304);
  done(`read the document in Brotli; with its tag, ${second.response.status}`);
}

await readDocument();
const souk = await logIn();
const { productId, tag } = await publish(souk);
await change(souk, productId, tag);
await order(souk, productId);
await search(souk);

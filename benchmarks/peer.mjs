// `node peer.mjs DIRECTORY PORT REDIS_PORT`: the same work done with `ocpp-rpc`, which is installed in that directory, and ioredis.
//
// Strict mode: each message is validated against its schema. One RPUSH per message, in ioredis's automatic pipelines; answered once Redis has it.
// Answers have only the members that a charger needs.

import { createRequire } from "node:module";

const [directory, port, redisPort] = process.argv.slice(2);
const require = createRequire(`${directory}/`);
const { RPCServer } = require("ocpp-rpc");
const { Redis } = require("ioredis");

const protocols = ["ocpp1.6", "ocpp2.0.1"]; // ocpp-rpc 2.2.1 does not find its schemas of 2.1
const accepted = { status: "Accepted" };
const published = { Started: "start_transaction", Updated: "meter_value", Ended: "stop_transaction" };
const redis = new Redis({ host: "127.0.0.1", port: Number(redisPort), enableAutoPipelining: true });
let transactions = 0;

const now = () => new Date().toISOString();
const server = new RPCServer({ protocols, strictMode: true });

server.auth((accept) => accept());

server.on("client", (client) => {
  const publish = (event, data) =>
    redis.rpush("events", JSON.stringify({ event, time: now(), data: { charger: client.identity, ...data } }));

  // What each action becomes: the event's name, and what the charger is told.
  const answers = {
    BootNotification: ["boot_notification", () => ({ currentTime: now(), interval: 300, status: "Accepted" })],
    Heartbeat: ["health", () => ({ currentTime: now() })],
    StatusNotification: ["change_connector_status", () => ({})],
    MeterValues: ["meter_value", () => ({})],
    StopTransaction: ["stop_transaction", () => ({ idTagInfo: accepted })],
  };
  for (const [action, [event, answer]] of Object.entries(answers)) {
    client.handle(action, async ({ params }) => {
      await publish(event, params);
      return answer();
    });
  }
  client.handle("StartTransaction", async ({ params }) => {
    const transactionId = ++transactions;
    await publish("start_transaction", { transactionId, ...params });
    return { transactionId, idTagInfo: accepted };
  });
  client.handle("TransactionEvent", async ({ params }) => {
    await publish(published[params.eventType], params);
    return params.idToken ? { idTokenInfo: accepted } : {};
  });

  client.once("close", () => publish("disconnect_charger"));
  publish("connect_charger");
});

await server.listen(Number(port), "127.0.0.1");

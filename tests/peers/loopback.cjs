// Makes every server of a program listen on 127.0.0.1 only: what tests start must not be reached from elsewhere, and
// not every program has an option for that.

const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const options = typeof given[0] === "object" && given[0] !== null ? given[0] : { port: given[0] };
  const callback = given.find((one) => typeof one === "function");
  return listen.call(this, { ...options, host: "127.0.0.1" }, callback);
};

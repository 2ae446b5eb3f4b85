// Reads [{source, flags}] and writes, for each, what recheck says: "safe", or why not. Everything in JavaScript alone.
process.env.RECHECK_SYNC_BACKEND = "pure";
const { checkSync } = require("recheck");
const given = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const said = given.map(({ source, flags }) => {
  const found = checkSync(source, flags, { timeout: 300000, attackTimeout: null });
  if (found.status === "safe") return "safe";
  if (found.status === "vulnerable") return `${found.complexity.summary}: ${found.attack.pattern}`;
  return `unknown: ${JSON.stringify(found.error)}`;
});
process.stdout.write(JSON.stringify(said));

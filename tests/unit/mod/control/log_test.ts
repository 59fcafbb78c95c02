import { expect, test } from "bun:test";

const LOG = JSON.stringify(`${import.meta.dir}/../../../../mod/control/log.ts`);

test("a record is one line, and what it quotes does not drive a terminal", () => {
  const written = (format: "text" | "json") => {
    const code = `const { log, setUpLog } = await import(${LOG});
      await setUpLog({ level: "info", format: ${JSON.stringify(format)} });
      log("info", ["probe", "p"], "said: \\u001b[31mred\\nline", 0);`;
    return Bun.spawnSync([process.execPath, "-e", code]).stderr.toString();
  };
  expect(written("text")).toBe("1970-01-01T00:00:00.000Z info    probe.p: said:  [31mred line\n");
  expect(JSON.parse(written("json"))).toMatchObject({ message: "said: \u001b[31mred\nline" });
});

/**
 * Is reading the clock cheap? Time of day does not matter: every deadline is monotonic. Pure.
 *
 * @module
 */
import { finding } from "../facts.ts";
import type { DoctorConfig, Facts, Finding } from "../model.ts";

/** Read by an instruction or two. */
const FAST = /^(tsc|kvm-clock|arch_sys_counter|hyperv_clocksource|stp|tod|timebase|riscv_clocksource)/;

/** Findings about the clock. */
export function judgeClock(_config: DoctorConfig | null, { clocksource }: Facts): Finding[] {
  if (clocksource === null || clocksource === "" || FAST.test(clocksource)) return [];
  return [finding(
    "clock",
    "note",
    `The clock source is ${clocksource}`,
    "Each reading of the clock goes to a slow device or into the kernel: it takes a microsecond and more instead of " +
      "some nanoseconds, which shows with hundreds of instances",
    [
      "cat /sys/devices/system/clocksource/clocksource0/available_clocksource",
      "clocksource=tsc on the kernel's command line",
    ],
  )];
}

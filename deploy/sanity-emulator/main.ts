import { Emulator } from './emulator.ts';
import { buildServer } from './server.ts';
import { HELP, SettingsError, readSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { Store } from './store.ts';

const EXIT_BAD_SETTINGS = 2;

async function main(): Promise<void> {
  const settings = settingsOrExit();
  const startedMs = performance.now();
  const store = openStore(settings);
  const emulator = new Emulator(settings, store);
  const server = buildServer(emulator);
  const stop = async (): Promise<void> => {
    await server.close();
    store.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // Listening is the last step: whoever gets an answer gets all of the data.
  const address = await server.listen({ host: settings.host, port: settings.port });
  report({ event: 'emulator_ready', address, startMs: Math.round(performance.now() - startedMs) });
}

function settingsOrExit(): Settings {
  try {
    const settings = readSettings(process.argv.slice(2), process.env);
    if (settings !== 'help') return settings;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    if (error instanceof SettingsError) fail(error.message);
    throw error;
  }
}

function openStore({ dataDir, keepTransactions }: Settings): Store {
  try {
    return new Store(dataDir, keepTransactions);
  } catch (error) {
    const reason = (error as Error).message;
    const hint = 'is another emulator running on it?';
    return fail(`EMULATOR_DATA_DIR: cannot use ${dataDir}: ${reason} (${hint})`);
  }
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`);
}

function fail(message: string): never {
  process.stderr.write(`sanity-emulator: ${message}\n`);
  process.exit(EXIT_BAD_SETTINGS);
}

try {
  await main();
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
  fail(`cannot listen: ${message}; choose another EMULATOR_PORT or EMULATOR_HOST`);
}

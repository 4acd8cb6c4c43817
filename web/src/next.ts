// What takes a page milliseconds is done step by step, each in a task of its own: between two, the page has its turn.

export const next = (): Promise<void> => new Promise((go) => setTimeout(go));

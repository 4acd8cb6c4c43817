// Signs of what became of a call.

import { line } from "../view/icons";

export const Done = () => line("M5 12.5l4.5 4.5L19 7.5", 14);
export const Failed = () => line("M12 5l8 14H4zM12 10.5v3.5M12 16.6v.01", 14);
export const Unclear = () => line("M12 4a8 8 0 100 16 8 8 0 000-16M12 8v5M12 16v.01", 14);

// Signs of what became of a call, of more, of files, and thumbs.

import { line } from "../view/icons";

export const More = () => line("M5 12h.01M12 12h.01M19 12h.01", 20, 3.4);
export const Clip = () => line("M20 11.5l-8.3 8.3a5.2 5.2 0 01-7.4-7.4l8.6-8.6a3.5 3.5 0 014.9 4.9l-8.6 8.6a1.7 1.7 0 01-2.4-2.4l7.9-7.9");
export const Sheet = () => line("M14 3H6v18h12V7zM14 3v4h4", 18, 1.8);
export const Done = () => line("M5 12.5l4.5 4.5L19 7.5", 14);
export const Failed = () => line("M12 5l8 14H4zM12 10.5v3.5M12 16.6v.01", 14);
export const Up = () => line("M7 11v9H4v-9zM7 11l4-7c2 0 2.5 1.6 2 3l-1 3h6c1.4 0 2.2 1.2 1.8 2.6l-1.5 5.6c-.3 1.1-1.2 1.8-2.3 1.8H7", 18, 1.8);
export const Down = () => line("M17 13V4h3v9zM17 13l-4 7c-2 0-2.5-1.6-2-3l1-3H6c-1.4 0-2.2-1.2-1.8-2.6l1.5-5.6C6 4.7 6.9 4 8 4h9", 18, 1.8);
export const Unclear = () => line("M12 4a8 8 0 100 16 8 8 0 000-16M12 8v5M12 16v.01", 14);

// The frames of `beckon.v1`. Made from the server's own types: do not edit.

/** A file that a customer sent. Its bytes: `GET /v1/chat/attachments/{id}`. */
export type Attachment = {
  /** How high it is in pixels, where it is a picture that says so. */
  height?: number;
  /** Its id. */
  id: string;
  /** Its name, as it was sent. */
  name: string;
  /** Its size in bytes. */
  size: number;
  /** What it is. */
  type: FileType;
  /** How wide it is in pixels, where it is a picture that says so. */
  width?: number;
};

/** Who did or said something. */
export type By = "customer" | "assistant" | "operator" | "system";

/** What became of a call. */
export type CallState = "done" | "failed" | "refused" | "unknown";

/** Something to choose. */
export type Choice = {
  /** What the customer reads. */
  label: string;
  /** What `choose` sends back. */
  value: string;
};

/** What a client says. */
export type ClientFrame =
  | Hello & {
      type: "hello";
    }
  | {
      /** Files uploaded before, by their ids: each once, and in one message only. */
      attachments?: string[];
      /** The client's own id of the message. */
      client_id: string;
      /** To which conversation; none: to whoever answers who speaks first. */
      conversation_id?: string;
      /** The words; may be empty where files come with them. */
      text: string;
      type: "say";
    }
  | {
      /** The value. */
      choice: string;
      /** The client's own id of the act. */
      client_id: string;
      /** In which conversation. */
      conversation_id: string;
      type: "choose";
    }
  | {
      /** Yes or no. */
      approve: boolean;
      /** The call that was shown. */
      call_id: string;
      /** The client's own id of the act. */
      client_id: string;
      /** In which conversation. */
      conversation_id: string;
      type: "confirm";
    }
  | {
      /** Which conversation. */
      conversation_id: string;
      /** Up to which entry. */
      seq: number;
      type: "seen";
    }
  | {
      /** In which conversation. */
      conversation_id: string;
      type: "typing";
    }
  | {
      /** The client's own id of the act. */
      client_id: string;
      /** Words to it. */
      comment?: string;
      /** Which conversation. */
      conversation_id: string;
      /** 1 to 5. */
      score: number;
      type: "rate";
    }
  | {
      /** The client's own id of the act. */
      client_id: string;
      /** In which conversation. */
      conversation_id: string;
      /** Yes or no. */
      helped: boolean;
      /** Which message. */
      seq: number;
      type: "helped";
    }
  | {
      /** The client's own id of the act. */
      client_id: string;
      /** In which conversation. */
      conversation_id: string;
      type: "stop";
    }
  | {
      /** The client's own id: the event's. */
      client_id: string;
      /** The event's type. */
      event: string;
      /** Its data. */
      properties: Record<string, unknown>;
      type: "track";
    }
  | {
      /** The client's own id of the act. */
      client_id: string;
      /** Which conversation. */
      conversation_id: string;
      type: "close";
    }
  | {
      type: "ping";
    };

/** A conversation as its customer sees it. */
export type Conversation = {
  /** Entries after the cursor; all where there was none. */
  entries: Entry[];
  /** Who answers. */
  holder: Holder;
  /** Its id. */
  id: string;
  /** Number of its last entry. */
  last_seq: number;
  /** The playbook that opened it. */
  playbook: string;
  /** Where it stands. */
  state: Phase;
  /** Why it is there, for who asks. */
  why: string;
};

/** One line of a log. */
export type Entry = Kind & {
  /** RFC 3339. */
  at: string;
  /** Who did or said it. */
  by: By;
  /** Where a store lost an entry, another id stands at its number. */
  id: string;
  /** Dense, from 1. */
  seq: number;
  /** The `try` whose deltas it replaces, and all before. */
  try?: number;
  /** The turn that made it. */
  turn_id?: string;
};

/** What a file is, by its first bytes. */
export type FileType = "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "application/pdf";

/** Who a client is and what it has. */
export type Hello = {
  /** An id that an earlier `welcome` gave. */
  anonymous_id?: string;
  /** Where it stands in each conversation that it has, by the conversation's id. */
  resume: Record<string, Stand>;
  /** The browser's IANA time zone, for quiet hours. */
  timezone?: string;
  /** A signed token. */
  token?: string;
};

/** Who answers now. */
export type Holder = "assistant" | "queue" | "operator";

/** What an entry says. More kinds may come: skip those that you do not know. */
export type Kind =
  | {
      /** Files that the customer sent with it. */
      attachments?: Attachment[];
      /** Where the customer chose instead of writing: the value. */
      choice?: string;
      /** What can be chosen in answer. */
      choices?: Choice[];
      /** The client's own id of the message. */
      client_id?: string;
      /** The same formatted and clean; there only where the words have markup. */
      html?: string;
      kind: "message";
      /** The language of the words, as a BCP 47 tag, where it is known. */
      locale?: string;
      /** Who wrote, where an operator did. */
      name?: string;
      /** Plain text. */
      text: string;
    }
  | {
      /** The arguments, exactly as they will be sent. */
      args: Record<string, unknown>;
      /** The call. */
      call_id: string;
      kind: "confirm";
      /** What is asked. */
      summary: string;
    }
  | {
      /** Yes or no. */
      approve: boolean;
      /** The call. */
      call_id: string;
      /** The client's own id of the act. */
      client_id: string;
      kind: "confirmed";
    }
  | {
      /** The call. */
      call_id: string;
      kind: "call";
      /** The operation. */
      name: string;
      /** What became of it. */
      state: CallState;
    }
  | {
      /** Who. */
      holder: Holder;
      kind: "holder";
      /** The operator's name. */
      name?: string;
    }
  | {
      kind: "closed";
      /** How it ended. */
      outcome: Outcome;
    };

/** How a conversation ended. */
export type Outcome = "goal" | "resolved" | "abandoned" | "expired" | "closed_by_operator" | "failed";

/** Where a conversation stands. */
export type Phase = "waiting" | "open" | "closed";

/** What the server says. */
export type ServerFrame =
  | {
      /** The id to come back with; a secret. */
      anonymous_id?: string;
      /** What files may be sent; none: no files. */
      attachments?: Taken;
      /** Conversations as `http::wire` makes them. */
      conversations: Conversation[];
      /** The customer's id, `user:…` or `anon:…`. */
      customer: string;
      type: "welcome";
    }
  | {
      /** As `http::wire` makes it. */
      conversation: Conversation;
      type: "opened";
    }
  | Entry & {
      /** Whose log. */
      conversation_id: string;
    } & {
      type: "entry";
    }
  | {
      /** The conversation. */
      conversation_id: string;
      /** Dense from 0 within a `try`; a gap says that words are missing. */
      index: number;
      /** The words. */
      text: string;
      /** A higher one clears what a lower brought. */
      try: number;
      /** The turn. */
      turn_id: string;
      type: "delta";
    }
  | {
      /** The conversation. */
      conversation_id: string;
      /** The turn. */
      turn_id: string;
      type: "dropped";
    }
  | {
      /** Who. */
      by: By;
      /** The operation that the assistant waits for, where it does. */
      call?: string;
      /** The conversation. */
      conversation_id: string;
      type: "typing";
    }
  | {
      /** The client's own id of what was asked. */
      client_id: string;
      /** The conversation; none for a tracked event. */
      conversation_id?: string;
      /** Its entry's number, else the last one's; 0 for a tracked event. */
      seq: number;
      type: "ack";
    }
  | {
      /** The conversation. */
      conversation_id: string;
      type: "reset";
    }
  | Trouble & {
      type: "error";
    }
  | {
      type: "pong";
    };

/** The last entry of a conversation that a client has. */
export type Stand = {
  /** Its id; where it is not the entry's at that number, the client has to start over. */
  id?: string;
  /** Its number; 0: none yet. */
  seq: number;
};

/** What files are taken. */
export type Taken = {
  /** The most of one message. */
  max_count: number;
  /** The largest, in bytes. */
  max_size: number;
  /** What they may be, by their first bytes. */
  types: FileType[];
};

/** What was wrong. */
export type Trouble = {
  /** The client's own id of what was asked. */
  client_id?: string;
  /** A stable code. */
  code: string;
  /** The conversation it was about. */
  conversation_id?: string;
  /** The same in words. */
  message: string;
  /** Set where it is no answer: send it again after so many seconds. */
  retry_after?: number;
};

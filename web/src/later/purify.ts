// For browsers without `Element.setHTML`: the same cleaning by DOMPurify.

import DOMPurify from "dompurify";

/** A fragment of `html` with these elements and attributes only; throws where the page's policy forbids to parse it. */
export function clean(html: string, tags: string[], attributes: string[]): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: tags,
    ALLOWED_ATTR: attributes,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

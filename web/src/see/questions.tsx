/** Questions about the picture that is shown, and their answers. */
import { useEffect, useState } from "preact/hooks";
import { Busy, ErrorNotice } from "../parts/notice.tsx";
import { engine } from "../state/app-state.ts";
import { useTask } from "../state/use-task.ts";

interface Answered {
  readonly question: string;
  readonly answer: string;
}

export function Questions({ codes, url }: { readonly codes: readonly number[]; readonly url: string }) {
  const [question, setQuestion] = useState("");
  const [answered, setAnswered] = useState<readonly Answered[]>([]);
  const asking = useTask();
  useEffect(() => {
    asking.stop();
    setAnswered([]);
  }, [codes]);
  const ask = (event: Event): void => {
    event.preventDefault();
    const text = question.trim();
    if (!text || !engine.value) return;
    void asking.start(async (signal) => {
      let answer = "";
      const messages = [{ role: "user" as const, parts: [{ picture: { url, codes } }, { text }] }];
      await engine.value!.chat(
        messages,
        { temperature: 0 },
        (part) => {
          if ("text" in part) answer += part.text;
        },
        signal,
      );
      setAnswered((known) => [...known, { question: text, answer: answer.trim() || "(no answer)" }]);
      setQuestion("");
    });
  };
  return (
    <div class="questions">
      <dl>
        {answered.map(({ question: asked, answer }, i) => (
          <div key={i}>
            <dt>{asked}</dt>
            <dd>{answer}</dd>
          </div>
        ))}
      </dl>
      <form onSubmit={ask}>
        <input
          aria-label="A question about the picture"
          placeholder="What color is the background?"
          value={question}
          onInput={({ currentTarget }) => setQuestion(currentTarget.value)}
        />
        <button type="submit" disabled={question.trim() === "" || asking.running}>
          Ask
        </button>
      </form>
      <Busy running={asking.running} onStop={asking.stop} label="Answering" />
      <ErrorNotice text={asking.error} />
    </div>
  );
}
